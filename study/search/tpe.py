"""An adaptive search: Optuna's TPE over all parameters of one arm, its state in optuna.db.

Tree-structured Parzen estimator (Bergstra et al. 2011), multivariate and grouped by condition
(Falkner et al. 2018; Optuna 5), one or several objectives (Ozaki et al. 2022). A proposal is a
function of earlier proposals, their results and the seed.
"""

import math
import warnings
from typing import Any

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import TrialState, create_trial

from study.design.plan import SEARCH_SEED, Plan, Point
from study.design.record import Record
from study.design.space import Explore
from study.search.distributions import suggest_point, to_parameters

# A run that diverged ranks last, as one that was stopped does: as a failure the sampler would not
# learn from it.
STATES = {
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def name_objectives(study: Study, titles: list[str]) -> None:
    """Name what a study's values are, for Optuna's dashboard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(titles)


class AdaptiveSearch:
    """Proposes points and learns from their results.

    Points that were proposed and have not ended are proposed again after a restart.
    """

    def __init__(self, storage: optuna.storages.BaseStorage, plan: Plan, explore: Explore) -> None:
        self.explore, self.metrics = explore, [name for name, _ in explore.objectives]
        directions = [
            StudyDirection.MAXIMIZE if higher else StudyDirection.MINIMIZE
            for _, higher in explore.objectives
        ]
        self.study: Study = optuna.create_study(
            storage=storage,
            study_name=f"{plan.space.name} {explore.arm}",
            directions=directions,
            load_if_exists=True,
        )
        name_objectives(self.study, [plan.words.title(name) for name in self.metrics])
        self.open: dict[str, optuna.Trial] = {}  # proposed and not ended, by point
        self.waiting: list[Point] = []  # of those the ones that are not running
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if point := trial.user_attrs.get("point"):
                self.open[point_key(point)] = optuna.Trial(self.study, trial._trial_id)
                self.waiting.append(point)
            else:  # a kill came while it was being proposed
                self.study.tell(trial.number, state=TrialState.FAIL)
        # a kill may have come between a record's name and its state: such a trial still runs here
        ended = [trial.user_attrs for trial in self.study.trials if trial.state.is_finished()]
        self.recorded = {one["record"] for one in ended if "record" in one}
        for point in explore.known:
            self._enqueue(to_parameters(explore.search, point).params)

    def _enqueue(self, params: dict[str, Any]) -> None:
        """Propose a known point first, once."""
        for trial in self.study.trials:
            same = params == trial.system_attrs.get("fixed_params", trial.params)
            if same and (trial.state != TrialState.FAIL or "record" in trial.user_attrs):
                return
        self.study.enqueue_trial(params)

    def propose(self) -> Point:
        """The next point: one that waits, a known one, or TPE's."""
        if self.waiting:
            return self.waiting.pop(0)
        number = len(self.study.get_trials(deepcopy=False))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of `group`
            self.study.sampler = optuna.samplers.TPESampler(
                seed=100_003 * SEARCH_SEED + number,
                n_startup_trials=self.explore.random,
                multivariate=True,
                group=True,
                constant_liar=True,
            )
        trial = self.study.ask()
        point = suggest_point(self.explore.search, trial)
        if point_key(point) in self.open:  # the same again while it runs
            self.study.tell(trial, state=TrialState.FAIL)
            return self.propose()
        trial.set_user_attr("point", point)
        self.open[point_key(point)] = trial
        return point

    def discard(self, point: Point) -> None:
        """Drop a proposed point: it was run before, or runs now."""
        if trial := self.open.pop(point_key(point), None):
            self.study.tell(trial, state=TrialState.FAIL)

    def retry(self, point: Point) -> None:
        """Propose a point once more: its run failed."""
        self.waiting.append(point)

    def tell(self, record: Record) -> None:
        """Learn how a point's run ended.

        One that was not proposed here, after a loss of the database say, is added.
        """
        key = f"{record.trial} {record.ended}"
        if key in self.recorded or not set(self.explore.search) <= set(record.point):
            return
        self.recorded.add(key)
        state, trial = STATES[record.status], self.open.pop(point_key(record.point), None)
        values = self._objectives(record) if state == TrialState.COMPLETE else None
        if values and not all(map(math.isfinite, values)):
            state, values = TrialState.FAIL, None
        attributes = {
            "record": key,
            "trial": record.trial,
            "stage": record.stage,
            "status": record.status,
        }
        if trial is None:
            params, distributions = to_parameters(self.explore.search, record.point)
            self.study.add_trial(
                create_trial(
                    state=state,
                    values=values,
                    params=params,
                    distributions=distributions,
                    user_attrs={**attributes, "point": record.point},
                )
            )
            return
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        self.study.tell(trial, values, state)

    def _objectives(self, record: Record) -> list[float]:
        return [record.seconds if n == "seconds" else record.metric(n) for n in self.metrics]


def point_key(point: Point) -> str:
    """A point as a key."""
    return repr(sorted(point.items()))
