"""A folder that was changed after it was written is named as such, with the place."""

import json
import re
from dataclasses import replace

import pytest
from report.test_page import write_study

import run_study
from study.analysis.results import Results
from study.design.record import SCHEMA
from study.errors import StudyError
from study.report.folder import read_folder
from study.report.page import write_report
from study.report.provenance.verification import verify_study
from study.search.quasi_random import sobol_points
from study.store.chain import append_link, seal
from study.store.directory import open_study
from study.store.exchange import adopt_records
from study.store.ledger import Ledger, read_records
from study.store.study_file import read_study


@pytest.fixture
def folder(finished, tmp_path):
    folder = write_study(tmp_path / "results", *finished)
    write_report(folder)
    return folder


def change_lines(folder, change):
    """The records' file with its list of lines changed."""
    path = folder / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    change(lines)
    path.write_text("".join(lines))


def edit_line(lines, number, change):
    """A line whose values are changed; its hash stays."""
    values = json.loads(lines[number - 1])
    change(values)
    lines[number - 1] = json.dumps(values) + "\n"


def finding(folder, capsys):
    """What --verify says of a folder that is not whole."""
    assert run_study.main(["--verify", "--out", str(folder)]) == 1
    out = capsys.readouterr().out
    assert out.endswith("results is not whole.\n")
    return out


def test_an_untouched_folder_is_whole(folder, capsys):
    assert run_study.main(["--verify", "--out", str(folder)]) == 0
    records = read_records(folder)
    sealed = seal(records[-1].link.own, read_study(folder, sobol_points).hash)
    assert f"Whole: {len(records)} records" in (out := capsys.readouterr().out)
    assert f"the seal of plan and records is {sealed}." in out
    page = (folder / "report.html").read_text()
    assert f"the seal of plan and records is {sealed}" in page
    assert "Changed after it was written" not in page


def test_the_first_record_follows_the_plan_and_each_the_one_before(folder):
    records, plan = read_records(folder), read_study(folder, sobol_points).hash
    assert records[0].link.previous == plan
    assert [one.link.previous for one in records[1:]] == [one.link.own for one in records[:-1]]
    assert {one.link.plan for one in records} == {plan}


def test_a_changed_digit_is_named_and_the_page_says_so(folder, capsys):
    number = next(k for k, one in enumerate(read_records(folder), 1) if one.stage == "final")

    def forge(values):
        values["result"]["score"] += 0.01

    change_lines(folder, lambda lines: edit_line(lines, number, forge))
    sentence = f"Line {number} of records.jsonl was changed after it was written: trial "
    assert sentence in finding(folder, capsys)
    write_report(folder)
    page = (folder / "report.html").read_text()
    assert f"<b>Changed after it was written.</b> {sentence}" in page
    assert "broken; the note at the top says where" in page


def test_a_forged_record_with_a_hash_of_its_own_breaks_what_follows(folder, capsys):
    records = read_records(folder)
    forged = replace(records[2], seconds=0.5, link=None)
    link = records[2].link
    line = json.dumps(append_link(forged, link.plan, link.previous).to_dict()) + "\n"
    change_lines(folder, lambda lines: lines.__setitem__(2, line))
    assert "Line 4 of records.jsonl does not follow what stands before it" in finding(
        folder, capsys
    )


def test_a_removed_line_is_named(folder, capsys):
    change_lines(folder, lambda lines: lines.pop(3))
    found = finding(folder, capsys)
    assert "Line 4 of records.jsonl does not follow what stands before it: there records were" in (
        found
    )


def test_a_removed_last_line_is_named_by_what_was_drawn(folder, capsys):
    change_lines(folder, lambda lines: lines.pop())
    assert "report.html is not what this version of the program makes of the records" in finding(
        folder, capsys
    )


def test_two_swapped_lines_are_named(folder, capsys):
    change_lines(folder, lambda lines: lines.insert(4, lines.pop(3)))
    assert "do not stand in the order of writing: 4, 5, 6" in finding(folder, capsys)


def test_an_added_line_without_a_hash_is_named(folder, capsys):
    def copy(lines):
        values = json.loads(lines[-1])
        del values["chain"]
        lines.append(json.dumps({**values, "trial": "another"}) + "\n")

    change_lines(folder, copy)
    assert re.search(r"Line \d+ of records.jsonl has no hash", finding(folder, capsys))


def test_an_edited_plan_is_named_also_where_its_hash_was_mended(folder, capsys):
    path = folder / "study.json"
    values = json.loads(path.read_text())
    values["plan"]["space"]["claims"][0]["better"] = "green"
    path.write_text(json.dumps(values))
    found = finding(folder, capsys)
    hashes = re.search(
        r"edited after it was written: its hash is (\w+), and the file says (\w+)", found
    )
    assert hashes
    assert hashes[2] == values["hash"]
    path.write_text(json.dumps({**values, "hash": hashes[1]}))
    assert f"Line 1 of records.jsonl was written under a plan {values['hash']}" in finding(
        folder, capsys
    )


def test_a_replaced_page_and_an_edited_table_are_named(folder, capsys):
    page = folder / "report.html"
    page.write_text(page.read_text().replace("Blue scores", "Red scores"))
    assert "report.html is not what this version of the program makes" in finding(folder, capsys)
    write_report(folder)
    table = folder / "trials.csv"
    table.write_text(table.read_text().replace("blue", "red"))
    assert "trials.csv is not what this version" in finding(folder, capsys)


def test_a_page_that_is_behind_its_records_is_whole(finished, tmp_path):
    plan, records = finished
    folder = write_study(tmp_path / "results", plan, records[:-2])
    write_report(folder)
    _, ledger = open_study(folder, plan, read_study(folder, sobol_points).about)
    for record in records[-2:]:
        ledger.append(record)
    ledger.close()
    state = verify_study(folder)
    count = len(records)
    assert state.findings == []
    assert state.notes == [
        f"The page shows the first {count - 2} of {count} records; --report draws it again."
    ]


def test_a_larger_budget_names_the_plan_before_it(toy, tmp_path):
    folder, small, large = tmp_path / "results", toy.plan(), toy.plan(final_seeds=9)
    records = toy.run_all(small, toy.task, tmp_path)
    write_study(folder, small, records)
    _, ledger = open_study(folder, large, toy.about(created="2026-01-02T00:00:00Z"))
    known = {record.trial for record in records}
    for record in toy.run_all(large, toy.task, tmp_path):
        if record.trial not in known:
            ledger.append(record)
    ledger.close()
    study = read_folder(folder)
    assert study.file.plans == [small.hash, study.file.hash]
    assert study.changes == []


def test_records_of_an_earlier_version_are_read_and_said_to_have_no_hash(folder, finished):
    def strip(lines):
        for k, line in enumerate(lines):
            values = json.loads(line)
            del values["chain"], values["schema"]
            lines[k] = json.dumps(values) + "\n"

    change_lines(folder, strip)
    assert (
        "though the study was begun by a version that writes them"
        in verify_study(folder).findings[0]
    )
    path = folder / "study.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 1'))
    state = verify_study(folder)
    assert state.summary.startswith("Nothing to verify")
    assert "nothing can be said of them" in state.notes[0]
    # a record that follows them holds the hash of all that stand before it
    plan, records = finished
    _, ledger = open_study(folder, plan, read_study(folder, sobol_points).about)
    ledger.append(replace(records[0], trial="later"))
    ledger.close()
    assert read_folder(folder).changes == []
    change_lines(folder, lambda lines: edit_line(lines, 2, lambda values: values.update(arm="red")))
    assert "does not follow what stands before it" in read_folder(folder).changes[0]


def test_adopted_records_keep_their_own_chain(finished, tmp_path, toy):
    plan, records = finished
    elsewhere = Ledger(tmp_path, "more.jsonl")
    elsewhere.plan = plan.hash
    for record in records:
        elsewhere.append(record)
    elsewhere.close()
    folder = tmp_path / "results"
    _, ledger = open_study(folder, plan, toy.about())
    adopt_records(plan, ledger, tmp_path / "more.jsonl")
    ledger.close()
    study = read_folder(folder)
    found = study.results.records
    assert study.changes == []
    assert found[3].extra["origin"]["chain"] == elsewhere.records[3].link._asdict()
    changed = replace(found[3], seconds=9.0)
    edited = replace(study, results=Results(plan, [*found[:3], changed]))
    assert "was changed after it was written" in edited.changes[0]


def test_a_changed_line_is_not_adopted(finished, tmp_path, toy):
    plan, records = finished
    elsewhere = Ledger(tmp_path, "more.jsonl")
    elsewhere.append(records[0])
    elsewhere.close()
    path = tmp_path / "more.jsonl"
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": 1'))
    folder = tmp_path / "results"
    _, ledger = open_study(folder, plan, toy.about())
    adoption = adopt_records(plan, ledger, path)
    ledger.close()
    assert adoption.taken == []
    reason = "changed after it was written: its hash is another"
    assert adoption.refused == {reason: [records[0].trial]}


def test_two_lines_with_different_results_are_both_refused_and_copies_are_one(
    finished, tmp_path, toy
):
    plan, records = finished
    first, second = records[0], records[1]
    other = replace(first, result={**first.result, "score": 0.1})
    path = tmp_path / "more.jsonl"
    lines = (json.dumps(one.to_dict()) for one in (first, other, second, second))
    path.write_text("".join(f"{line}\n" for line in lines))
    _, ledger = open_study(tmp_path / "results", plan, toy.about())
    adoption = adopt_records(plan, ledger, path)
    ledger.close()
    assert adoption.taken == [second.trial]
    assert adoption.refused == {"two lines of the file give different results": [first.trial]}


def test_a_changed_study_has_no_verdict_for_programs_and_says_so_elsewhere(folder, capsys):
    write_report(folder)
    file = folder / "records.jsonl"
    file.write_text(file.read_text().replace('"seconds": ', '"seconds": 1', 1))
    assert run_study.main(["--check", "primary", "--out", str(folder)]) == 2
    assert "Line 1 of records.jsonl was changed after it was written" in capsys.readouterr().err
    for words in (["--report"], ["--export", "csv", str(folder / "paper")]):
        assert run_study.main([*words, "--out", str(folder)]) == 0
        assert "is not as it was written. Line 1" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["records.jsonl", "study.json"])
def test_a_later_schema_is_refused_by_name(folder, file):
    path = folder / file
    text = path.read_text()
    assert f'"schema": {SCHEMA}' in text
    path.write_text(text.replace(f'"schema": {SCHEMA}', '"schema": 99'))
    with pytest.raises(
        StudyError, match=rf"{file} must be .* of schema {SCHEMA} or lower; it has 99"
    ):
        read_study(folder, sobol_points), read_records(folder)
