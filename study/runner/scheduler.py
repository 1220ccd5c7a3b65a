"""Which running trials continue: all until the study stops; of an adaptive search the promising."""

import json
import re
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from study.design.plan import Plan
from study.design.record import Record
from study.runner.ray_patches import DriverOnly
from study.runner.searcher import StudySearch

CONTROLLER: Any = None  # the halving does not use Tune's


class StudyScheduler(DriverOnly, FIFOScheduler):
    """Decides at the end of each epoch, when the trial's checkpoint is written."""

    def __init__(self, search: StudySearch, folder: Path) -> None:
        super().__init__()
        self.search, self.folder, self.epochs = search, folder, epochs_of(search.plan)
        self.halving = make_halving(search.plan, search.ledger.records)
        # of running trials of the adaptive search, by Tune's id: epochs of earlier attempts
        self.earlier_epochs: dict[str, int] = {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Enter a trial of the adaptive search into the halving under the study's own id.

        Another attempt at it is the same trial.
        """
        running = self.search.running.get(trial.trial_id)
        if self.halving and running and self.search.is_adaptive_trial(running):
            metrics = self.folder / running.id / "metrics.jsonl"
            self.earlier_epochs[trial.trial_id] = last_epoch(metrics)
            self.halving.on_trial_add(CONTROLLER, with_id(running.id))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Stop a trial after its epoch where the study stops, or where the halving says so.

        Never after its last epoch, since its evaluation follows.
        """
        self.search.on_epoch(trial.trial_id, result)
        if "outcome" in result:
            return TrialScheduler.CONTINUE
        if self.search.stop.requested:
            return TrialScheduler.STOP
        if self.lags_behind(trial.trial_id, result):
            self.search.stopped_early.add(trial.trial_id)
            return TrialScheduler.STOP
        return TrialScheduler.CONTINUE

    def lags_behind(self, tune_id: str, result: dict[str, Any]) -> bool:
        """Whether the halving stops the trial after this epoch."""
        running, epoch = self.search.running.get(tune_id), result.get("epoch", 0)
        earlier = self.earlier_epochs.get(tune_id)
        if not self.halving or not running or earlier is None or epoch >= self.epochs:
            return False
        decision = self.halving.on_trial_result(CONTROLLER, with_id(running.id), result)
        # an epoch that an earlier attempt trained was decided then
        return decision == TrialScheduler.STOP and epoch > earlier

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Note why the trial's process died, which Tune does not pass on to its search."""
        with suppress(OSError, TypeError):
            cause = find_cause(Path(trial.error_file).read_text())
            self.search.loss_causes[trial.trial_id] = cause


def find_cause(text: str) -> str:
    """The sentence of Ray's message that names a cause, or what was raised last."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    causes = [
        line
        for line in lines
        if re.search(r"memory|SIGKILL|exit|node|died|unexpected", line)
        and not line.startswith("File ")
    ]
    raised = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b.*: ", line)]
    return (causes or raised[-1:] or lines or ["it was lost"])[0][:200].rstrip(".")


def with_id(trial: str) -> Any:
    """All that the halving reads of a Tune trial."""
    return SimpleNamespace(trial_id=trial)


def last_epoch(metrics: Path) -> int:
    """The last epoch that a trial's earlier attempts left numbers of; 0 where none are seen."""
    try:
        lines = metrics.read_text().splitlines()
        return max((json.loads(line)["epoch"] for line in lines), default=0)
    except (OSError, ValueError, KeyError):
        return 0


def epochs_of(plan: Plan) -> int:
    """The epochs of a trial; 0 where the trainer names no field for them."""
    return plan.base.get(plan.words.epochs, 0)


def make_halving(plan: Plan, records: list[Record]) -> AsyncHyperBandScheduler | None:
    """Asynchronous successive halving (Li et al. 2020), in the state that the records imply.

    Tune itself would begin with empty rungs. None where the plan stops no run early.
    """
    explore, epochs = plan.space.explore, epochs_of(plan)
    if explore is None or not explore.judge or epochs < 3:
        return None
    halving = AsyncHyperBandScheduler(
        "epoch",
        explore.judge,
        "max",
        max_t=epochs - 1,
        grace_period=min(max(1, round(explore.grace * epochs)), epochs - 1),
        reduction_factor=explore.reduction,
        stop_last_trials=False,
    )
    for record in records:
        if (record.stage, record.arm) == ("search", explore.arm) and record.is_final:
            trial = with_id(record.trial)
            halving.on_trial_add(CONTROLLER, trial)
            for row in record.curve:
                known = {name: value for name, value in row.items() if value is not None}
                halving.on_trial_result(CONTROLLER, trial, known)
    return halving
