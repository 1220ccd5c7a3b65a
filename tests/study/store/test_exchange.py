"""Trials as data: what is due goes out as lines, and records come back only where the plan asks for their trial."""

import json
import math
from dataclasses import replace

import pytest

from study.design.record import final_records
from study.design.stages import due_trials, is_finished
from study.errors import StudyError
from study.store.exchange import adopt_records, export_trials, read_trials
from study.store.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "study")
    yield found
    found.close()


def written(path, records):
    path.write_text("".join(json.dumps(record.to_dict()) + "\n" for record in records))
    return path


def test_what_can_run_now_is_exported_and_nothing_that_ended(finished, tmp_path):
    plan, records = finished
    some = final_records(records[:4])
    path, count = export_trials(plan, some, tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert (
        count
        == len(lines)
        == len([trial for trial in due_trials(plan, some) if trial.id not in some])
    )
    assert {line["stage"] for line in lines} == {"replica", "search", "beside"}
    assert all(line["fingerprint"] == plan.data.fingerprint for line in lines)
    assert not {line["trial"] for line in lines} & set(some)
    assert {(line["space"], line["dataset"]) for line in lines} == {("toy", "none")}


def test_what_was_exported_is_read_back_each_trial_once(finished, tmp_path):
    plan, _ = finished
    path, _ = export_trials(plan, {}, tmp_path)
    path.write_text(path.read_text() * 2 + "\n")
    exported = read_trials(path)
    assert [one.trial for one in exported] == list(due_trials(plan, {}))
    about = {(one.space, one.dataset, one.fingerprint) for one in exported}
    assert about == {("toy", "none", plan.data.fingerprint)}


def test_records_of_all_stages_are_adopted_from_one_file_in_any_order(finished, ledger, tmp_path):
    plan, records = finished
    found = adopt_records(plan, ledger, written(tmp_path / "more.jsonl", records[::-1]))
    assert (len(found.taken), found.refused) == (len(records), {})
    assert is_finished(plan, final_records(ledger.records))
    again = adopt_records(plan, ledger, tmp_path / "more.jsonl")
    assert (again.taken, len(again.known)) == ([], len(records))


def test_pictures_beside_the_records_come_along(finished, ledger, tmp_path):
    plan, records = finished
    place = tmp_path / "more-trials" / records[0].trial
    place.mkdir(parents=True)
    (place / "pictures.json").write_text("[]")
    file = written(tmp_path / "more.jsonl", records[:2])
    assert (
        adopt_records(plan, ledger, file)
        .summary(file)
        .endswith("more.jsonl: 2 records taken, 0 known already")
    ), "there are none in it"
    picture = {"image": "", "label": "cat", "answer": "dog", "maps": {"a": [[1.0]]}}
    (place / "pictures.json").write_text(json.dumps([picture]))
    assert (
        adopt_records(plan, ledger, file)
        .summary(file)
        .endswith("0 records taken, 2 known already, pictures of 1 copied")
    )
    kept = ledger.path.parent / "trials" / records[0].trial / "pictures.json"
    assert json.loads(kept.read_text()) == [picture]
    assert not adopt_records(plan, ledger, file).with_pictures, "they are here"
    kept.unlink()
    (place / "elsewhere.json").write_text(json.dumps([picture]))
    (place / "pictures.json").unlink()
    (place / "pictures.json").symlink_to("elsewhere.json")
    assert not adopt_records(plan, ledger, file).with_pictures, "a link may lead anywhere"


def test_pictures_that_cannot_be_written_are_a_sentence_and_come_along_later(
    finished, ledger, tmp_path
):
    plan, records = finished
    place = tmp_path / "more-trials" / records[0].trial
    place.mkdir(parents=True)
    (place / "pictures.json").write_text(
        json.dumps([{"image": "", "label": "cat", "answer": "dog", "maps": {}}])
    )
    file, trials = written(tmp_path / "more.jsonl", records[:1]), ledger.path.parent / "trials"
    trials.write_text("in the way")
    with pytest.raises(StudyError, match=r"cannot be copied to .*; the records are taken"):
        adopt_records(plan, ledger, file)
    trials.unlink()
    assert adopt_records(plan, ledger, file).with_pictures == 1


def test_a_metric_that_only_some_stages_measure_is_not_asked_of_all(finished, ledger, tmp_path):
    plan, records = finished
    records = [
        replace(
            record,
            result={
                "loss": None,
                **{name: value for name, value in record.result.items() if name != "loss"},
            },
        )
        for record in records
    ]
    assert len(adopt_records(plan, ledger, written(tmp_path / "more.jsonl", records)).taken) == len(
        records
    )


def test_what_the_plan_does_not_ask_for_is_refused_by_name(finished, ledger, tmp_path):
    plan, records = finished
    stranger = replace(records[0], trial="0123456789")
    changed = replace(records[1], config={**records[1].config, "lr": 7.0})
    failed = replace(records[2], status="failed")
    found = adopt_records(
        plan, ledger, written(tmp_path / "more.jsonl", [stranger, changed, failed, records[3]])
    )
    assert found.taken == [records[3].trial]
    said = found.summary(tmp_path / "more.jsonl")
    assert (
        "the plan asks for no such trial now: made for another space, other settings or a later stage (0123456789)"
        in said
    )
    assert f"its configuration is not that of the trial ({changed.trial})" in said
    assert f"it is failed ({failed.trial})" in said


def test_a_record_cannot_change_its_stage_or_arm_on_the_way(finished, ledger, tmp_path):
    plan, records = finished
    adopt_records(
        plan,
        ledger,
        written(tmp_path / "more.jsonl", [replace(records[0], stage="final", arm="blue", why="x")]),
    )
    own = final_records(ledger.records)[records[0].trial]
    assert (own.stage, own.arm, own.why) == (records[0].stage, records[0].arm, records[0].why)


@pytest.mark.parametrize("score", [float("nan"), "high", None])
def test_a_record_whose_numbers_cannot_be_right_is_refused(finished, ledger, tmp_path, score):
    plan, records = finished
    found = adopt_records(
        plan,
        ledger,
        written(
            tmp_path / "more.jsonl",
            [replace(records[0], result={**records[0].result, "score": score})],
        ),
    )
    assert found.taken == []
    assert "its score is" in next(iter(found.refused))


@pytest.mark.parametrize(
    "changes",
    [
        {"curve": ["x", 3]},
        {"curve": [{"foo": 1}]},
        {"commit": [1]},
        {"device": None},
        {"status": "brilliant"},
        {"seconds": -5},
        {"seconds": math.nan},
    ],
)
def test_a_record_of_another_shape_is_named(finished, ledger, tmp_path, changes):
    plan, records = finished
    with pytest.raises(StudyError, match="must be a trial's record"):
        adopt_records(
            plan, ledger, written(tmp_path / "more.jsonl", [replace(records[0], **changes)])
        )


@pytest.mark.parametrize("content", ["{}\n", "nonsense\n"])
def test_a_file_that_holds_no_records_is_named(finished, ledger, tmp_path, content):
    (tmp_path / "more.jsonl").write_text(content)
    with pytest.raises(StudyError, match=r"line 1 of .*more\.jsonl must be a trial's record"):
        adopt_records(finished[0], ledger, tmp_path / "more.jsonl")
    with pytest.raises(StudyError, match="--adopt must name a file of records"):
        adopt_records(finished[0], ledger, tmp_path / "nothing.jsonl")
