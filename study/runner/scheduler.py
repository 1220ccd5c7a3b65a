"""Which running trials go on: all, until the study is to stop; of an adaptive search the promising ones."""

import json
import re
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from study.design.plan import Plan
from study.design.record import Record
from study.runner.searcher import StudySearch


class Schedule(FIFOScheduler):
    """Decides at the end of each epoch, when the trial's checkpoint is written."""

    def __init__(self, search: StudySearch, folder: Path) -> None:
        super().__init__()
        self.search, self.halving = search, halving_of(search.plan, search.ledger.records)
        self.folder, self.epochs = folder, search.plan.base.get("epochs", 0)
        self.judged: dict[
            str, int
        ] = {}  # of running trials of the adaptive search, by Tune's id: epochs that earlier attempts at them trained

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Lets the halving know of a trial of the adaptive search, under the study's own id: an attempt that goes on is the same trial."""
        due = self.search.running.get(trial.trial_id)
        if self.halving and due and self.search.is_asked(due):
            self.judged[trial.trial_id] = epochs_in(self.folder / due.id / "metrics.jsonl")
            self.halving.on_trial_add(tune_controller, stand_in(due.id))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Stops a trial after its epoch where the study stops, or where the halving says so; never after its last, since its evaluation follows."""
        self.search.heard(trial.trial_id, result)
        due, epoch = self.search.running.get(trial.trial_id), result.get("epoch", 0)
        if "outcome" in result:
            return TrialScheduler.CONTINUE
        if self.search.stop.wanted:
            return TrialScheduler.STOP
        if self.halving and due and trial.trial_id in self.judged and epoch < self.epochs:
            said = self.halving.on_trial_result(tune_controller, stand_in(due.id), result)
            if (
                said == TrialScheduler.STOP and epoch > self.judged[trial.trial_id]
            ):  # it went on from there once
                self.search.lagging.add(trial.trial_id)
                return TrialScheduler.STOP
        return TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Finds why the trial's process died, which Tune tells its search nothing of."""
        with suppress(OSError, TypeError):
            self.search.causes[trial.trial_id] = cause_in(Path(trial.error_file).read_text())

    def __getstate__(self) -> dict[str, Any]:
        return {}


def cause_in(text: str) -> str:
    """The sentence of Ray's message that names a cause."""
    told = [
        line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()
    ]
    telling = [
        line for line in told if re.search(r"memory|SIGKILL|exit|node|died|unexpected", line)
    ]
    return (telling or told or ["it was lost"])[0][:200].rstrip(".")


def stand_in(trial: str) -> Any:
    """What the halving needs of a Tune trial."""
    return SimpleNamespace(trial_id=trial)


def epochs_in(metrics: Path) -> int:
    """The last epoch that a trial's earlier attempts left numbers of; 0 where they cannot be seen."""
    try:
        return max(
            (json.loads(line)["epoch"] for line in metrics.read_text().splitlines()), default=0
        )
    except (OSError, ValueError, KeyError):
        return 0


def halving_of(plan: Plan, records: list[Record]) -> AsyncHyperBandScheduler | None:
    """Asynchronous successive halving (Li et al. 2020), as far on as the records of its search say: Tune itself would begin with empty rungs.

    None where the plan has none.
    """
    explore, epochs = plan.explore, plan.base.get("epochs", 0)
    if explore is None or not explore.judge or epochs < 3:
        return None
    grace = min(max(1, round(explore.grace * epochs)), epochs - 1)
    halving = AsyncHyperBandScheduler(
        "epoch",
        explore.judge,
        "max",
        max_t=epochs - 1,
        grace_period=grace,
        reduction_factor=explore.reduction,
        stop_last_trials=False,
    )
    controller: Any = None
    for record in records:
        if (record.stage, record.arm) == ("search", explore.arm) and record.is_final:
            halving.on_trial_add(controller, stand_in(record.trial))
            for row in record.curve:
                halving.on_trial_result(
                    controller,
                    stand_in(record.trial),
                    {name: value for name, value in row.items() if value is not None},
                )
    return halving
