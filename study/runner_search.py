"""Hands a study's due trials to Ray Tune, one after the other, and writes each one's record when it ends."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from ray.tune.search import Searcher

from study.attempt import lost
from study.plan import Plan
from study.proposals import SearchDatabase
from study.record import Ledger, Record, final_records
from study.stages import due
from study.trial import Trial

ATTEMPTS = 2  # at one trial within one run of the command


class StudySearch(Searcher):
    """A Tune search algorithm whose suggestions are the trials that `study.stages.due` names.

    All stages are one Tune experiment: a stage begins for an arm as soon as that arm's earlier ones have ended, and no worker process
    is started twice. Nothing of it is saved by Tune; records.jsonl holds its state.
    """

    def __init__(self, plan: Plan, ledger: Ledger, database: SearchDatabase, commit: str) -> None:
        super().__init__(metric="loss", mode="min")
        self.plan, self.ledger, self.database, self.commit = plan, ledger, database, commit
        self.running: dict[str, Trial] = {}  # by Tune's id
        self.failures: Counter[str] = Counter()
        self.finished = False  # nothing is left that could be run
        self.broken: Exception | None = None  # what kept a record from being written; Tune itself would swallow it and go on

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next due trial as JSON; None while later ones wait for running ones; FINISHED at the end, or when no record can be written."""
        if self.broken:
            return Searcher.FINISHED
        done = final_records(self.ledger.records)
        busy = {trial.id for trial in self.running.values()}
        for trial in due(self.plan, done):
            if trial.id not in done and trial.id not in busy and self.failures[trial.id] < ATTEMPTS:
                self.running[trial_id] = trial
                return {"trial": json.dumps(asdict(trial))}
        if self.running:
            return None
        self.finished = True
        return Searcher.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Epochs are not looked at: no trial of a fair study is stopped early."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Records how the trial ended; one that was interrupted leaves no record and is due again."""
        trial = self.running.pop(trial_id, None)
        if trial is None:
            return
        if outcome := (result or {}).get("outcome"):
            record = Record(**json.loads(outcome))
        elif error:
            record = lost(trial, "the trial's process died or could not be started", self.commit)
        else:
            return
        if record.status == "failed":
            self.failures[trial.id] += 1
        try:
            self.ledger.append(record)
            self.database.add([record])
        except Exception as problem:
            self.broken = self.broken or problem

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the records are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the records are the state."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
