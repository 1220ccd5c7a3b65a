"""Hands a study's due trials to Ray Tune, one after the other, and writes each one's record when it ends."""

import json
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from ray.tune.search import Searcher

from study.design.plan import SEARCH_SEED, Plan
from study.design.record import Record, final_records, last_line
from study.design.stages import Records, due, is_explored, make_trial, to_explore
from study.design.trial import Trial
from study.execution.run_trial import record_of_run
from study.execution.stop import Stop
from study.runner.cluster import Places
from study.search.database import SearchDatabase
from study.store.ledger import Ledger

ATTEMPTS = 2  # at one trial within one run of the command, where the trial itself fails
LOSSES = 4  # processes or nodes that a trial may lose within one run of the command
QUIET = 5.0  # seconds after a loss in which nothing is begun: Ray takes some to notice that a node is gone, and would begin trials there
PROPOSALS = 100  # of an adaptive search in search of a point that is new
ALIKE = 8  # failures one after the other, of several trials and none that ended otherwise: then all will fail


class StudySearch(Searcher):
    """A Tune search algorithm whose suggestions are the trials that `study.stages.due` names, and what an adaptive search asks for.

    All stages are one Tune experiment: a stage begins for an arm as soon as that arm's earlier ones have ended, and no worker process
    is started twice. Nothing of it is saved by Tune; records.jsonl holds its state, and optuna.db that of an adaptive search.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        database: SearchDatabase,
        places: Places,
        stop: Stop,
        commit: str,
    ) -> None:
        super().__init__(metric="loss", mode="min")
        self.plan, self.ledger, self.database, self.places, self.stop, self.commit = (
            plan,
            ledger,
            database,
            places,
            stop,
            commit,
        )
        self.running: dict[str, Trial] = {}  # by Tune's id
        self.curves: dict[str, list[dict[str, Any]]] = {}  # of running trials
        self.causes: dict[str, str] = {}  # why the process of a trial died, where it is known
        self.failures: Counter[str] = Counter()
        self.losses: Counter[str] = Counter()
        self.quiet_until = 0.0  # after a loss, until when nothing is begun
        self.lagging: set[str] = set()  # trials, by Tune's id, that the halving stopped
        self.in_a_row: list[Record] = []  # failed ones since the last that ended otherwise
        self.notes: list[str] = []  # what the user should hear beside the records
        self.finished = False  # nothing is left that could be run
        self.broken: Exception | None = (
            None  # what kept a record from being written; Tune itself would swallow it and go on
        )

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next trial; None while no place is free or later ones wait for running ones; FINISHED at the end, or when nothing may begin."""
        if self.broken or self.stop.wanted:
            return Searcher.FINISHED
        if len(self.running) >= self.places.now() or time.monotonic() < self.quiet_until:
            return None
        trial = self.next_trial()
        if trial is not None:
            self.running[trial_id], self.curves[trial_id] = trial, []
            return {
                "trial": json.dumps(asdict(trial)),
                "stage": trial.stage,
                "arm": trial.arm,
                "seed": trial.seed,
                **trial.point,
            }
        if self.running:
            return None
        self.finished = True
        return Searcher.FINISHED

    def next_trial(self) -> Trial | None:
        """An adaptive search's next point, since all else waits for it, or the first due trial that is neither done nor running."""
        done = final_records(self.ledger.records)
        busy = {trial.id for trial in self.running.values()}
        if (asked := self.asked(done, busy)) is not None:
            return asked
        for trial in due(self.plan, done):
            if trial.id not in done and trial.id not in busy and self.failures[trial.id] < ATTEMPTS:
                return trial
        return None

    def asked(self, done: Records, busy: set[str]) -> Trial | None:
        """The adaptive search's next point; None where there is no such search, or its budget is in use."""
        explorer, explore = self.database.explorer, self.plan.explore
        if explorer is None or explore is None:
            return None
        arm = self.plan.arm(explore.arm)
        under_way = sum(self.is_asked(trial) for trial in self.running.values())
        for _ in range(PROPOSALS if under_way < to_explore(self.plan, done) else 0):
            trial = make_trial(
                self.plan,
                "search",
                arm,
                SEARCH_SEED,
                explorer.propose(),
                self.plan.stages["search"],
            )
            if trial.id not in done and trial.id not in busy and self.failures[trial.id] < ATTEMPTS:
                return trial
            explorer.discard(trial.point)
        return None

    def is_asked(self, trial: Trial) -> bool:
        """Whether the trial is one of the adaptive search."""
        return trial.stage == "search" and is_explored(self.plan, self.plan.arm(trial.arm))

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: `heard` keeps what is told, also with the report that stops a trial, of which Tune tells its search nothing."""

    def heard(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keeps an epoch's numbers."""
        if trial_id in self.running and "row" in result:
            self.curves[trial_id].append(json.loads(result["row"]))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Records how the trial ended; one that was interrupted leaves no record and is due again."""
        trial = self.running.pop(trial_id, None)
        if trial is None:
            return
        curve = self.curves.pop(trial_id)
        if outcome := (result or {}).get("outcome"):
            self.ended(trial, Record(**json.loads(outcome)))
        elif error:
            self.lost(trial, self.causes.pop(trial_id, "its process or node is gone"))
        elif trial_id in self.lagging:
            seconds = sum(row.get("seconds", 0.0) for row in curve)
            self.ended(
                trial,
                record_of_run(
                    trial, "stopped", self.commit, curve=curve, seconds=round(seconds, 3)
                ),
            )
        elif not self.stop.wanted:
            self.lost(trial, "it ended without a record")

    def lost(self, trial: Trial, cause: str) -> None:
        """A process died: that is no fault of the trial, which goes on from its checkpoint, but not for ever."""
        self.losses[trial.id] += 1
        count = self.losses[trial.id]
        self.quiet_until = time.monotonic() + QUIET
        if count < LOSSES:
            self.notes.append(
                f"{trial.id} lost its process and goes on from its last epoch ({cause})"
            )
            if self.is_asked(trial) and self.database.explorer:
                self.database.explorer.again(trial.point)
            return
        self.failures[trial.id] = ATTEMPTS
        told = f"the trial's process died {count} times, the last time since {cause}. If the machine has too little memory, run fewer trials at once"
        self.ended(trial, record_of_run(trial, "failed", self.commit, error=told))

    def ended(self, trial: Trial, record: Record) -> None:
        """Writes the record, and draws the conclusions."""
        failed = record.status == "failed"
        self.failures[trial.id] += failed
        self.in_a_row = [*self.in_a_row, record] if failed else []
        try:
            self.ledger.append(record)
            if (
                failed
                and self.failures[trial.id] < ATTEMPTS
                and self.is_asked(trial)
                and self.database.explorer
            ):
                self.database.explorer.again(trial.point)
            else:
                self.database.add([record])
        except Exception as problem:
            self.broken = self.broken or problem
        if len(self.in_a_row) >= ALIKE and len({record.trial for record in self.in_a_row}) > 2:
            self.stop.spoiled = f"the last {len(self.in_a_row)} attempts failed; the last: {last_line(record.error)}"

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the records are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the records are the state."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
