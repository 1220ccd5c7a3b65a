"""An adaptive search: Optuna's TPE over all parameters of one arm, its state in optuna.db.

Tree-structured Parzen estimator (Bergstra et al. 2011), multivariate and grouped by condition (Falkner et al. 2018; Optuna 5), one or
several objectives (Ozaki et al. 2022). A proposal is a function of what was asked and told before and of the seed.
"""

import warnings
from typing import Any

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import TrialState, create_trial

from study.design.plan import SEARCH_SEED, Plan
from study.design.record import Record
from study.design.space import Explore
from study.search.distributions import Point, params_of, suggested

# a run that diverged ranks last, as one that was stopped does: as a failure the sampler would not learn from it
STATES = {
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class Explorer:
    """Asks for points and tells what came of them. Points that were asked for and have not ended are asked for again after a restart."""

    def __init__(self, storage: optuna.storages.BaseStorage, plan: Plan, explore: Explore) -> None:
        self.explore, self.metrics = explore, [name for name, _ in explore.objectives]
        directions = [
            StudyDirection.MAXIMIZE if higher else StudyDirection.MINIMIZE
            for _, higher in explore.objectives
        ]
        name = f"{plan.space} {explore.arm}"
        self.study: Study = optuna.create_study(
            storage=storage, study_name=name, directions=directions, load_if_exists=True
        )
        self.open: dict[str, optuna.Trial] = {}  # asked for and not ended, by point
        self.waiting: list[Point] = []  # of those the ones that are not running
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if point := trial.user_attrs.get("point"):
                self.open[key_of(point)] = optuna.Trial(self.study, trial._trial_id)
                self.waiting.append(point)
            else:  # a kill came while it was being proposed
                self.study.tell(trial.number, state=TrialState.FAIL)
        self.held = {
            trial.user_attrs["record"]
            for trial in self.study.trials
            if "record" in trial.user_attrs
        }
        for point in explore.known:
            self._enqueue(params_of(explore.search, point)[0])

    def _enqueue(self, params: dict[str, Any]) -> None:
        """Asks for a known point first, once."""
        for trial in self.study.trials:
            if params == trial.system_attrs.get("fixed_params", trial.params) and (
                trial.state != TrialState.FAIL or "record" in trial.user_attrs
            ):
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
        point = suggested(self.explore.search, trial)
        if key_of(point) in self.open:  # the same again while it runs
            self.study.tell(trial, state=TrialState.FAIL)
            return self.propose()
        trial.set_user_attr("point", point)
        self.open[key_of(point)] = trial
        return point

    def discard(self, point: Point) -> None:
        """The point is not run: it was before, or runs now."""
        if asked := self.open.pop(key_of(point), None):
            self.study.tell(asked, state=TrialState.FAIL)

    def again(self, point: Point) -> None:
        """The point's run failed and is tried once more."""
        self.waiting.append(point)

    def tell(self, record: Record) -> None:
        """How a point's run ended; one that was not asked for here, after a loss of the database say, is added."""
        key = f"{record.trial} {record.ended}"
        if key in self.held or not set(self.explore.search) <= set(record.point):
            return
        self.held.add(key)
        state, asked = STATES[record.status], self.open.pop(key_of(record.point), None)
        values = (
            [record.seconds if name == "seconds" else record.metric(name) for name in self.metrics]
            if state == TrialState.COMPLETE
            else None
        )
        about = {
            "record": key,
            "trial": record.trial,
            "stage": record.stage,
            "status": record.status,
        }
        if asked is None:
            params, spans = params_of(self.explore.search, record.point)
            attributes = {**about, "point": record.point}
            self.study.add_trial(
                create_trial(
                    state=state,
                    values=values,
                    params=params,
                    distributions=spans,
                    user_attrs=attributes,
                )
            )
            return
        for name, value in about.items():
            asked.set_user_attr(name, value)
        self.study.tell(asked, values, state)


def key_of(point: Point) -> str:
    """A point as a key."""
    return repr(sorted(point.items()))
