"""optuna.db: every search as an Optuna study, and the state of an adaptive one."""

import math
import time
from datetime import datetime
from pathlib import Path

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from study.design.plan import Plan
from study.design.record import Record
from study.errors import StudyError, first_line
from study.search.distributions import log_distributions
from study.search.tpe import AdaptiveSearch, name_objectives

STATES = {
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "diverged": TrialState.FAIL,
    "failed": TrialState.FAIL,
}
PATIENCE = 20.0  # seconds until a database that was held is tried again
LONGEST_WAIT = 90.0  # seconds that a study waits for one before it begins
HELD = (sqlalchemy.exc.OperationalError, optuna.exceptions.StorageInternalError)
SEARCH_STAGES = ("search", "added", "beside")


def open_storage(path: Path) -> optuna.storages.RDBStorage:
    """The database; one that cannot be read is moved aside and made again from the records.

    Raises:
        sqlalchemy.exc.OperationalError: another program holds it.
        StudyError: it cannot be moved.
    """
    # a path may hold what means something in an address, as ? or %
    address = sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string()
    try:
        return optuna.storages.RDBStorage(address)
    except Exception as error:  # of SQLAlchemy, SQLite and Alembic
        if is_held(error):
            raise
        try:
            path.rename(path.with_name(f"optuna-damaged-{int(time.time())}.db"))
            return optuna.storages.RDBStorage(address)
        except Exception:
            reason = first_line(error)
            raise StudyError(
                f"{path} must be Optuna's database, or absent; it cannot be read ({reason})"
            ) from None


def is_held(error: Exception) -> bool:
    """Whether an error says that another program holds the database."""
    return isinstance(error, HELD) and "locked" in f"{error} {error.__cause__}"


class SearchDatabase:
    """Every search trial that ended, one Optuna study an arm.

    optuna-dashboard may open the file while the study runs.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.waiting: list[Record] = []  # that it has not taken yet
        self.again_at = 0.0  # when they are tried again
        self.metrics = [*(one.name for one in plan.space.metrics), "loss"]
        self.distributions = {arm.name: log_distributions(arm.search) for arm in plan.space.arms}
        self._open_when_free(folder.resolve() / "optuna.db", plan)

    def _open_when_free(self, path: Path, plan: Plan) -> None:
        """Open the database, and wait where another program holds it, as a dashboard may.

        Raises:
            StudyError: it is held for too long, or cannot be read.
        """
        end = time.monotonic() + LONGEST_WAIT
        while True:
            try:
                return self._open(path, plan)
            except HELD as error:
                if not is_held(error):
                    raise
                if time.monotonic() > end:
                    raise StudyError(
                        f"{path} is held by another program for too long; close it, as a "
                        "dashboard, and run the same command again"
                    ) from None

    def _open(self, path: Path, plan: Plan) -> None:
        """Open the database and what of it the plan needs."""
        metric, explore = plan.space.primary, plan.space.explore
        self.storage = open_storage(path)
        self.adaptive = AdaptiveSearch(self.storage, plan, explore) if explore else None
        direction = StudyDirection.MAXIMIZE if metric.higher_is_better else StudyDirection.MINIMIZE
        self.studies = {
            arm.name: optuna.create_study(
                storage=self.storage,
                study_name=f"{plan.space.name} {arm.name}",
                direction=direction,
                load_if_exists=True,
            )
            for arm in plan.space.arms
            if arm.search
        }
        for study in self.studies.values():
            name_objectives(study, [metric.title])
        trials = (t for study in self.studies.values() for t in study.get_trials(deepcopy=False))
        self.recorded = {trial.user_attrs.get("record") for trial in trials}

    def add(self, records: list[Record]) -> None:
        """Add the search records that it lacks; tell an adaptive search its results.

        A database that something else holds, as a dashboard may, stops nothing: records.jsonl is
        what counts, and what was not added is added with the next record.
        """
        self.waiting += records
        if time.monotonic() < self.again_at:
            return
        try:
            while self.waiting:
                self._add_one(self.waiting[0])
                self.waiting.pop(0)
        except HELD:
            if self.adaptive:  # its next proposal rests on this one's result
                raise
            self.again_at = time.monotonic() + PATIENCE

    def _add_one(self, record: Record) -> None:
        """Add a record unless it is there, or is of no search."""
        adaptive = self.adaptive
        if adaptive and (record.arm, record.stage) == (adaptive.explore.arm, "search"):
            adaptive.tell(record)
            return
        key = f"{record.trial} {record.ended}"
        searched = record.stage in SEARCH_STAGES and record.arm in self.studies
        if searched and key not in self.recorded:
            trial = to_optuna_trial(
                record, key, distributions=self.distributions[record.arm], metrics=self.metrics
            )
            self.studies[record.arm].add_trial(trial)
            self.recorded.add(key)

    def close(self) -> None:
        """Add what is left, if that can be, and close the file."""
        self.again_at = 0.0
        self.add([])
        self.storage.remove_session()
        self.storage.engine.dispose()


def to_optuna_trial(
    record: Record, key: str, *, distributions: dict[str, BaseDistribution], metrics: list[str]
) -> optuna.trial.FrozenTrial:
    """The record as an Optuna trial; a point outside the range has a range of its own.

    Its value is the first of the metrics, its intermediate values are of the first one that its
    epochs hold.
    """
    point = {name: float(record.point[name]) for name in distributions}
    own = {
        name: distribution
        if distribution._contains(point[name])
        else FloatDistribution(point[name], point[name], log=True)
        for name, distribution in distributions.items()
    }
    value = record.metric(metrics[0])
    has_value = math.isfinite(value)
    state = STATES[record.status] if has_value or record.status != "finished" else TrialState.FAIL
    by_epoch = next((name for name in metrics if epoch_values(record, name)), metrics[-1])
    trial = create_trial(
        state=state,
        value=value if state == TrialState.COMPLETE else None,
        params=point,
        distributions=own,
        user_attrs={
            "record": key,
            "trial": record.trial,
            "stage": record.stage,
            "seed": record.seed,
            "status": record.status,
            "why": record.why,
            "intermediate values": by_epoch,
        },
        intermediate_values=epoch_values(record, by_epoch),
    )
    trial.datetime_start, trial.datetime_complete = when(record.started), when(record.ended)
    return trial


def epoch_values(record: Record, name: str) -> dict[int, float]:
    """A number of the epochs, where it is finite."""
    values = ((row["epoch"], row.get(name)) for row in record.curve)
    return {
        epoch: float(value)
        for epoch, value in values
        if isinstance(value, int | float) and math.isfinite(value)
    }


def when(stamp: str) -> datetime:
    """A record's time as Optuna keeps times: local, without a zone."""
    return datetime.fromisoformat(stamp).astimezone().replace(tzinfo=None)
