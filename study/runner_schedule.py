"""Which running trials go on: all, until the study is to stop; of an adaptive search the promising ones."""

import re
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from study.plan import Plan
from study.record import Record
from study.runner_search import StudySearch


class Schedule(FIFOScheduler):
    """Decides at the end of each epoch, when the trial's checkpoint is written."""

    def __init__(self, search: StudySearch) -> None:
        super().__init__()
        self.search, self.halving = search, halving_of(search.plan, search.ledger.records)
        self.judged: set[str] = set()  # trials that the halving knows

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Lets the halving know of a trial of the adaptive search."""
        due = self.search.running.get(trial.trial_id)
        if self.halving and due and self.search.is_asked(due):
            self.judged.add(trial.trial_id)
            self.halving.on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Stops a trial after its epoch where the study stops, or where the halving says so."""
        self.search.heard(trial.trial_id, result)
        if "outcome" in result:
            return TrialScheduler.CONTINUE
        if self.search.stop.wanted:
            return TrialScheduler.STOP
        if self.halving and trial.trial_id in self.judged:
            return self.halving.on_trial_result(tune_controller, trial, result)
        return TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Finds why the trial's process died, which Tune tells its search nothing of."""
        with suppress(OSError, TypeError):
            self.search.causes[trial.trial_id] = cause_in(Path(trial.error_file).read_text())

    def __getstate__(self) -> dict[str, Any]:
        return {}


def cause_in(text: str) -> str:
    """The sentence of Ray's message that names a cause."""
    told = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()]
    telling = [line for line in told if re.search(r"memory|SIGKILL|exit|node|died|unexpected", line)]
    return (telling or told or ["it was lost"])[0][:200].rstrip(".")


def halving_of(plan: Plan, records: list[Record]) -> AsyncHyperBandScheduler | None:
    """Asynchronous successive halving (Li et al. 2020), as far on as the records of its search say: Tune itself would begin with empty rungs.

    None where the plan has none. A run's last epoch is never judged, since its evaluation comes after it.
    """
    explore, epochs = plan.explore, plan.base.get("epochs", 0)
    if explore is None or not explore.judge or epochs < 3:
        return None
    grace = max(1, round(explore.grace * epochs))
    halving = AsyncHyperBandScheduler(
        "epoch", explore.judge, "max", max_t=epochs - 1, grace_period=grace, reduction_factor=explore.reduction, stop_last_trials=False
    )
    controller: Any = None
    for record in records:
        if (record.stage, record.arm) == ("search", explore.arm) and record.is_final:
            stand_in: Any = SimpleNamespace(trial_id=record.trial)
            halving.on_trial_add(controller, stand_in)
            for row in record.curve:
                halving.on_trial_result(controller, stand_in, {name: value for name, value in row.items() if value is not None})
    return halving
