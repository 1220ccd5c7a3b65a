"""Hands a study's due trials to Ray Tune and writes each one's record when it ends."""

import json
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from ray.tune.search import Searcher

from study.design.plan import SEARCH_SEED, Plan
from study.design.record import Record, final_records, last_line, parse_record
from study.design.stages import (
    Records,
    due_trials,
    is_adaptive,
    make_trial,
    remaining_search_trials,
)
from study.design.trial import Trial
from study.errors import StudyError
from study.execution.run_trial import fail_without_metric, make_record
from study.execution.stop import Stop
from study.runner.cluster import TrialSlots
from study.runner.ray_patches import DriverOnly
from study.search.database import SearchDatabase
from study.store.ledger import Ledger

# within one run of the command
MAX_ATTEMPTS = 2  # at one trial, where the trial itself fails
MAX_LOST_PROCESSES = 4  # processes or nodes that one trial may lose
# failed attempts of several trials without another outcome between them: then all will fail
MAX_CONSECUTIVE_FAILURES = 8
# seconds after a loss in which nothing begins: Ray takes some to notice that a node is gone, and
# would begin trials there
PAUSE_AFTER_LOSS = 5.0
MAX_PROPOSALS = 100  # of an adaptive search, until one is new


class StudySearch(DriverOnly, Searcher):
    """A Tune search algorithm that suggests the study's due trials.

    All stages are one Tune experiment: a stage begins for an arm as soon as that arm's earlier
    ones have ended, and worker processes are reused. Tune saves nothing of it: records.jsonl is
    its state, and optuna.db that of an adaptive search.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        database: SearchDatabase,
        *,
        slots: TrialSlots,
        stop: Stop,
        commit: str,
    ) -> None:
        super().__init__(metric="loss", mode="min")
        self.plan, self.ledger, self.database = plan, ledger, database
        self.slots, self.stop, self.commit = slots, stop, commit
        self.running: dict[str, Trial] = {}  # by Tune's id
        self.curves: dict[str, list[dict[str, Any]]] = {}  # of running trials
        self.loss_causes: dict[str, str] = {}  # why the process of a trial died, where known
        self.failures: Counter[str] = Counter()
        self.losses: Counter[str] = Counter()
        self.paused_until = 0.0
        self.stopped_early: set[str] = set()  # trials, by Tune's id, that the halving stopped
        self.consecutive_failures: list[Record] = []
        self.messages: list[str] = []  # for the user, beside the records
        self.finished = False  # nothing is left that could be run
        # what kept a record from being written; Tune would swallow it and continue
        self.write_error: Exception | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next trial.

        None while no slot is free or later trials wait for running ones; FINISHED at the end, or
        when nothing may begin.
        """
        if self.write_error or self.stop.requested:
            return Searcher.FINISHED
        if len(self.running) >= self.slots.count() or time.monotonic() < self.paused_until:
            return None
        trial = self.next_trial()
        if trial is not None:
            self.running[trial_id], self.curves[trial_id] = trial, []
            about = {"stage": trial.stage, "arm": trial.arm, "seed": trial.seed}
            return {"trial": json.dumps(asdict(trial)), **about, **trial.point}
        if self.running:
            return None
        self.finished = True
        return Searcher.FINISHED

    def next_trial(self) -> Trial | None:
        """An adaptive search's next point, since all else waits for it, or the first due trial."""
        done = final_records(self.ledger.records)
        if (trial := self.ask_sampler(done)) is not None:
            return trial
        return next((one for one in due_trials(self.plan, done) if self.may_run(one, done)), None)

    def may_run(self, trial: Trial, done: Records) -> bool:
        """Whether the trial is neither done nor running and has not failed too often."""
        is_running = any(trial.id == other.id for other in self.running.values())
        return not (trial.id in done or is_running or self.failures[trial.id] >= MAX_ATTEMPTS)

    def ask_sampler(self, done: Records) -> Trial | None:
        """The adaptive search's next point; None without one, or while its budget is in use."""
        adaptive, explore = self.database.adaptive, self.plan.space.explore
        if adaptive is None or explore is None:
            return None
        arm = self.plan.space.arm(explore.arm)
        running = sum(self.is_adaptive_trial(trial) for trial in self.running.values())
        for _ in range(MAX_PROPOSALS if running < remaining_search_trials(self.plan, done) else 0):
            point = adaptive.propose()
            trial = make_trial(self.plan, "search", arm, SEARCH_SEED, point=point)
            if self.may_run(trial, done):
                return trial
            adaptive.discard(point)
        return None

    def is_adaptive_trial(self, trial: Trial) -> bool:
        """Whether the trial is one of the adaptive search."""
        return trial.stage == "search" and is_adaptive(self.plan, self.plan.space.arm(trial.arm))

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: Tune leaves out the report that stops a trial, `on_epoch` gets all of them."""

    def on_epoch(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keep an epoch's numbers; the scheduler calls it."""
        if trial_id in self.running and "row" in result:
            self.curves[trial_id].append(json.loads(result["row"]))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record how the trial ended; an interrupted one leaves no record and is due again."""
        trial = self.running.pop(trial_id, None)
        if trial is None:
            return
        curve = self.curves.pop(trial_id)
        if outcome := (result or {}).get("outcome"):
            self.record_end(trial, self.parse_outcome(trial, outcome))
        elif error:
            cause = self.loss_causes.pop(trial_id, "its process or node is gone")
            self.on_process_lost(trial, cause)
        elif trial_id in self.stopped_early:
            seconds = round(sum(row.get("seconds", 0.0) for row in curve), 3)
            record = make_record(trial, "stopped", self.commit, curve=curve, seconds=seconds)
            self.record_end(trial, record)
        elif not self.stop.requested:
            self.on_process_lost(trial, "it ended without a record")

    def parse_outcome(self, trial: Trial, outcome: str) -> Record:
        """The record of a last report; one that cannot be read back is a failure of the trial."""
        try:
            record = parse_record(outcome, f"what trial {trial.id} reported")
        except StudyError as problem:
            return make_record(trial, "failed", self.commit, error=str(problem))
        return fail_without_metric(self.plan.space, record)

    def on_process_lost(self, trial: Trial, cause: str) -> None:
        """Let a trial whose process died continue from its checkpoint, but not forever."""
        self.losses[trial.id] += 1
        count = self.losses[trial.id]
        self.paused_until = time.monotonic() + PAUSE_AFTER_LOSS
        if count < MAX_LOST_PROCESSES:
            self.messages.append(
                f"{trial.id} lost its process and goes on from its last epoch ({cause})"
            )
            self.retry_point(trial)
            return
        self.failures[trial.id] = MAX_ATTEMPTS
        error = (
            f"the trial's process died {count} times, the last time since {cause}. If the machine "
            "has too little memory, run fewer trials at once"
        )
        self.record_end(trial, make_record(trial, "failed", self.commit, error=error))

    def retry_point(self, trial: Trial) -> None:
        """Let an adaptive search propose the trial's point once more."""
        if self.is_adaptive_trial(trial) and self.database.adaptive:
            self.database.adaptive.retry(trial.point)

    def record_end(self, trial: Trial, record: Record) -> None:
        """Write the record, tell the searches, and stop the study where every trial fails."""
        is_failed = record.status == "failed"
        self.failures[trial.id] += is_failed
        self.consecutive_failures = [*self.consecutive_failures, record] if is_failed else []
        is_retried = is_failed and self.failures[trial.id] < MAX_ATTEMPTS
        try:
            self.ledger.append(record)
            if is_retried and self.is_adaptive_trial(trial):
                self.retry_point(trial)
            else:
                self.database.add([record])
        except Exception as problem:
            self.write_error = self.write_error or problem
        failures = self.consecutive_failures
        several = len({failure.trial for failure in failures}) > 2
        if several and len(failures) >= MAX_CONSECUTIVE_FAILURES:
            reason = (
                f"the last {len(failures)} attempts failed; the last: {last_line(record.error)} "
                "(the whole traceback: error in the last line of records.jsonl)"
            )
            self.stop.hopeless_reason = reason

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the records are the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the records are the state."""
