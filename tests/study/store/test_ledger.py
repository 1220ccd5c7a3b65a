"""The ledger: no line is lost, doubled or half read, and a second writer is refused."""

import json
import math
from dataclasses import replace

import pytest

from study.design.record import final_records
from study.design.stages import due_trials
from study.errors import StudyError
from study.execution.run_trial import run_trial
from study.execution.stop import Stop
from study.search.database import SearchDatabase
from study.store.ledger import Ledger, read_records


def first_record(toy, folder):
    trial = next(due_trials(toy.plan(), {}))
    return ended(run_trial(toy.task, trial, folder / trial.id, "c0ffee"))


def ended(steps):
    """The record that an attempt returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_a_record_comes_back_as_it_was(toy, tmp_path):
    record = first_record(toy, tmp_path)
    ledger = Ledger(tmp_path)
    ledger.append(record)
    ledger.close()
    assert read_records(tmp_path) == [record]
    assert len(record.curve) == 3


def test_not_a_number_stays_not_a_number(toy, tmp_path):
    plan = toy.plan()
    trial = replace(
        next(due_trials(plan, {})), config={**next(due_trials(plan, {})).config, "lr": 0.99}
    )
    steps = run_trial(toy.task, trial, tmp_path / "t", "")
    record = ended(steps)
    assert (record.status, len(record.curve)) == ("diverged", 1)
    ledger = Ledger(tmp_path)
    ledger.append(record)
    assert math.isnan(read_records(tmp_path)[0].curve[0]["loss"])
    ledger.close()


def test_half_a_line_at_the_end_is_not_read_and_cut_before_writing(toy, tmp_path):
    record = first_record(toy, tmp_path)
    ledger = Ledger(tmp_path)
    ledger.append(record)
    ledger.close()
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes() + b'{"trial": "half')
    assert read_records(tmp_path) == [record]
    ledger = Ledger(tmp_path)
    ledger.append(replace(record, trial="another"))
    ledger.close()
    assert [r.trial for r in read_records(tmp_path)] == [record.trial, "another"]


def test_no_trial_is_recorded_twice_but_a_failed_one_may_be_followed(toy, tmp_path):
    record = first_record(toy, tmp_path)
    ledger = Ledger(tmp_path)
    for entry in (replace(record, status="failed"), record, record):
        ledger.append(entry)
    ledger.close()
    records = read_records(tmp_path)
    assert [r.status for r in records] == ["failed", "finished"]
    assert final_records(records) == {record.trial: record}


def test_a_second_writer_is_refused(tmp_path):
    ledger = Ledger(tmp_path)
    with pytest.raises(BlockingIOError):
        Ledger(tmp_path)
    ledger.close()
    Ledger(tmp_path).close()


def test_a_damaged_line_in_the_middle_is_named(toy, tmp_path):
    record = first_record(toy, tmp_path)
    ledger = Ledger(tmp_path)
    ledger.append(record)
    ledger.close()
    path = tmp_path / "records.jsonl"
    path.write_text('{"trial": 1}\n' + path.read_text())
    with pytest.raises(ValueError, match=r"line 1 of .*records\.jsonl must be a trial's record"):
        read_records(tmp_path)


def test_a_line_of_the_wrong_shape_or_letters_is_named(toy, tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append(first_record(toy, tmp_path))
    ledger.close()
    path = tmp_path / "records.jsonl"
    good = path.read_bytes()
    for bad in (b"\xff\xfe\n", b"[]\n", good.replace(b'"curve": [', b'"curve": null, "x": [')):
        path.write_bytes(good + bad)
        with pytest.raises(
            StudyError, match=r"line 2 of .*records\.jsonl must be a trial's record"
        ):
            read_records(tmp_path)


def test_a_record_that_cannot_be_written_ends_the_search_and_is_told(toy, tmp_path):
    from study.runner.cluster import Cluster, TrialSlots
    from study.runner.searcher import Searcher, StudySearch
    from study.runner.trainable import final_report

    plan = toy.plan()
    ledger, database = Ledger(tmp_path / "results"), SearchDatabase(tmp_path, plan)
    (tmp_path / "results" / "records.jsonl").mkdir()
    search = StudySearch(
        plan,
        ledger,
        database,
        slots=TrialSlots(Cluster(), 1, lambda: [{"Alive": True, "Resources": {"CPU": 1.0}}]),
        stop=Stop(),
        commit="",
    )
    search.suggest("tune-1")
    trial = search.running["tune-1"]
    search.on_trial_complete(
        "tune-1", final_report(ended(run_trial(toy.task, trial, tmp_path / "t", "")))
    )
    assert isinstance(search.write_error, OSError)
    assert search.suggest("tune-2") == Searcher.FINISHED
    assert not search.finished
    database.close()
    ledger.close()


def test_fields_of_a_later_version_are_kept(toy, tmp_path):
    record = first_record(toy, tmp_path)
    ledger = Ledger(tmp_path)
    ledger.append(replace(record, extra={"watts": 250}))
    ledger.close()
    assert json.loads((tmp_path / "records.jsonl").read_text())["watts"] == 250
    assert read_records(tmp_path)[0].extra == {"watts": 250}
