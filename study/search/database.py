"""Optuna proposes the points of an even search, and keeps what came of all searches in optuna.db."""

import math
import time
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from study.design.plan import Plan
from study.design.record import Record
from study.errors import StudyError
from study.search.distributions import distributions
from study.search.tpe import Explorer

optuna.logging.set_verbosity(optuna.logging.WARNING)
STATES = {
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "diverged": TrialState.FAIL,
    "failed": TrialState.FAIL,
}


def opened(path: Path) -> optuna.storages.RDBStorage:
    """The database; one that cannot be read is moved aside and made again from the records.

    Raises:
        StudyError: it cannot be moved.
    """
    try:
        return optuna.storages.RDBStorage(f"sqlite:///{path}")
    except Exception as problem:  # of SQLAlchemy, SQLite and Alembic
        try:
            path.rename(path.with_name(f"optuna-damaged-{int(time.time())}.db"))
            return optuna.storages.RDBStorage(f"sqlite:///{path}")
        except Exception:
            raise StudyError(
                f"{path} must be Optuna's database, or absent; it cannot be read ({str(problem).splitlines()[0]})"
            ) from None


class SearchDatabase:
    """optuna.db: every search trial that ended, one Optuna study an arm, to be opened by optuna-dashboard while the study runs."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        metric = plan.metrics[0]
        self.metric = metric.name
        self.spans = {arm.name: distributions(arm.search) for arm in plan.arms}
        self.storage = opened(folder.resolve() / "optuna.db")
        self.explorer = Explorer(self.storage, plan, plan.explore) if plan.explore else None
        direction = StudyDirection.MAXIMIZE if metric.higher_is_better else StudyDirection.MINIMIZE
        self.studies = {
            arm.name: optuna.create_study(
                storage=self.storage,
                study_name=f"{plan.space} {arm.name}",
                direction=direction,
                load_if_exists=True,
            )
            for arm in plan.arms
            if arm.search
        }
        self.held = {
            trial.user_attrs.get("record")
            for study in self.studies.values()
            for trial in study.get_trials(deepcopy=False)
        }

    def add(self, records: list[Record]) -> None:
        """Adds the records of the search that it lacks; tells an adaptive search what came of its points."""
        for record in records:
            if self.explorer and (record.arm, record.stage) == (
                self.explorer.explore.arm,
                "search",
            ):
                self.explorer.tell(record)
                continue
            key = f"{record.trial} {record.ended}"
            if (
                record.stage in ("search", "added", "beside")
                and record.arm in self.studies
                and key not in self.held
            ):
                self.held.add(key)
                self.studies[record.arm].add_trial(
                    as_optuna(record, key, self.spans[record.arm], self.metric)
                )

    def close(self) -> None:
        """Lets go of the file."""
        self.storage.remove_session()
        self.storage.engine.dispose()


def as_optuna(
    record: Record, key: str, spans: dict[str, BaseDistribution], metric: str
) -> optuna.trial.FrozenTrial:
    """The record as an Optuna trial; a point outside the range carries a range of its own."""
    point = {name: float(record.point[name]) for name in spans}
    own = {
        name: span
        if span._contains(point[name])
        else FloatDistribution(point[name], point[name], log=True)
        for name, span in spans.items()
    }
    state = STATES[record.status]
    return create_trial(
        state=state,
        value=record.metric(metric) if state == TrialState.COMPLETE else None,
        params=point,
        distributions=own,
        user_attrs={
            "record": key,
            "trial": record.trial,
            "stage": record.stage,
            "status": record.status,
            "why": record.why,
        },
        intermediate_values={
            row["epoch"]: row["loss"] for row in record.curve if math.isfinite(row["loss"])
        },
    )
