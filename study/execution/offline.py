"""Trials of a file, run on a machine without Ray, for any trainer; records in another file."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from study.design import facts
from study.design.record import Record, final_records, outcome_words
from study.design.space import Space
from study.design.trainer import Prepared, Request, Trainer
from study.design.trial import Trial, trial_title
from study.errors import StudyError, first_line, why
from study.execution.run_trial import fail_without_metric, run_trial
from study.store.exchange import ExportedTrial
from study.store.ledger import Ledger

NOTHING: Prepared = facts.Prepared(facts.DataFacts(fingerprint=""))


class Offline(NamedTuple):
    """How trials of a file are run."""

    records: Path  # takes a record of each
    dataset: str | None  # where the data are; None: the name in the trials
    data_dir: Path
    weights: str | None  # the file from which trials begin that take a given one
    at_once: int  # trials side by side
    threads: int  # of each trial on a CPU
    commit: str

    @property
    def folder(self) -> Path:
        """Where the trials' checkpoints are."""
        return self.records.with_name(f"{self.records.stem}-trials")


def run_offline(exported: list[ExportedTrial], space: Space, options: Offline) -> int:
    """Run what the records still lack; how many trials failed or could not be run.

    A trial that was begun continues from its last epoch; failed ones are run again.

    Raises:
        StudyError: the data are not the study's, or the records are no file of records.
    """
    try:
        ledger = Ledger(options.records.parent, options.records.name)
    except BlockingIOError:
        raise StudyError(
            f"{options.records} is being written by another run; name another file with --records"
        ) from None
    except OSError as error:
        raise StudyError(
            f"--records must name a file that can be written; {options.records} cannot "
            f"({why(error)})"
        ) from None
    with closing(ledger):
        ledger.plan = exported[0].plan
        done = final_records(ledger.records)
        left = [one for one in exported if one.trial.id not in done]
        prepared = prepare_trials(left, space, options) if left else NOTHING
        for id, reason in prepared.absent.items():
            print(f"{id} is not run: {reason}", flush=True)
        trials = [one.trial for one in left if one.trial.id not in prepared.absent]
        at_once = min(options.at_once, max(1, len(trials)))
        first = len(exported) - len(left)
        print(f"{len(exported)} trials, {first} of them done; {at_once} at once", flush=True)
        failed = len(prepared.absent)
        ended = run_all(trials, space, prepared, options)
        for count, run in enumerate(ended, start=first + 1):
            record = fail_without_metric(space, run)
            ledger.append(record)
            failed += record.status == "failed"
            print(f"{count:4d}/{len(exported)}  {summary_line(space, record)}", flush=True)
    return failed


def prepare_trials(exported: list[ExportedTrial], space: Space, options: Offline) -> Prepared:
    """What the trials need here.

    Raises:
        StudyError: the trials are of several spaces or data sets, or the data here are others.
    """
    studies = {(one.space, one.dataset, one.fingerprint) for one in exported}
    if len(studies) > 1:
        raise StudyError(
            f"--trials must hold trials of one space on one data set; these are of {len(studies)}"
        )
    ((name, dataset, fingerprint),) = studies
    if name != space.name:
        raise StudyError(f"--space must name the space of the trials, {name}; got {space.name}")
    request = Request(
        dataset=options.dataset or dataset,
        data_dir=options.data_dir,
        shared={},
        arms={one.trial.id: one.trial.config for one in exported},
        controls={},
        overrides={},
        weights=options.weights,
        may_download=True,
    )
    try:
        prepared = space.trainer.prepare(request)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        raise StudyError(str(error) or first_line(error)) from None
    if prepared.data.fingerprint != fingerprint:
        raise StudyError(
            f"{request.dataset} must hold the study's data, fingerprint {fingerprint[:16]}; its is "
            f"{prepared.data.fingerprint[:16]}. Name the right ones with --dataset"
        )
    return prepared


def run_all(
    trials: list[Trial], space: Space, prepared: Prepared, options: Offline
) -> Iterator[Record]:
    """The records as trials end.

    Raises:
        StudyError: a trial's process died.
    """
    inputs = dict(prepared.inputs)
    run = partial(run_one, trainer=space.trainer, inputs=inputs, options=options)
    if options.at_once == 1:
        yield from map(run, trials)
        return
    with ProcessPoolExecutor(options.at_once, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(run, trial) for trial in trials]
        try:
            for future in as_completed(running):
                yield future.result()
        except BrokenProcessPool:
            raise StudyError(
                "a trial's process died, for want of memory say; lower --at-once. Finished trials "
                "are saved; run the same command to continue"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()


def run_one(trial: Trial, trainer: Trainer, inputs: dict[str, Any], options: Offline) -> Record:
    """Run a trial to its end."""
    trainer.set_threads(options.threads)
    train = partial(trainer.train, **inputs)
    epochs = run_trial(train, trial, options.folder / trial.id, options.commit)
    while True:
        try:
            next(epochs)
        except StopIteration as end:
            return end.value


def summary_line(space: Space, record: Record) -> str:
    """A record in a line."""
    outcome = outcome_words(record, space.primary)
    trial = Trial(record.trial, record.stage, record.arm, record.seed, record.point, record.config)
    return f"{trial_title(space.name, trial)}  {outcome}  ({record.seconds:.1f} s)"
