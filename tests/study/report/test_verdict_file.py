"""verdict.json: the page's verdicts as data, in a schema that is written down, and exit codes."""

import json
import math
import re
from pathlib import Path

import pytest
from report.test_page import write_study

import run_study
from study.analysis.results import Results
from study.analysis.verdict import LABELS
from study.report.page import write_report
from study.report.verdict_file import (
    EXIT_CODES,
    NO_DIFFERENCE,
    StudyVerdict,
    exit_code,
    study_verdict,
    verdict_words,
)
from study.store.ledger import read_records

SCHEMA = Path(__file__).parents[3] / "docs" / "verdict.schema.json"


@pytest.fixture
def folder(finished, tmp_path):
    folder = write_study(tmp_path / "results", *finished)
    write_report(folder)
    return folder


def test_it_holds_the_pages_numbers_and_is_read_by_its_schema(folder, finished):
    results = Results(finished[0], read_records(folder))
    found = StudyVerdict.model_validate_json((folder / "verdict.json").read_text())
    assert found == study_verdict(results)
    assert (found.complete, found.records, found.plan_hash) == (
        True, len(finished[1]), finished[0].hash,
    )  # fmt: skip
    for ours, theirs in zip(found.claims, results.verdicts, strict=True):
        assert (ours.claim, ours.label, ours.n) == (
            theirs.claim.name, theirs.label, theirs.result.n,
        )  # fmt: skip
        for name in ("mean", "low", "high"):
            value = getattr(theirs.result, name)
            assert getattr(ours, name) == (None if math.isnan(value) else value)
        assert [gate.state for gate in ours.gates] == [gate.state for gate in theirs.gates]
    assert [arm.arm for arm in found.arms] == [one.arm.name for one in results.arms]
    assert found.arms[0].values == {str(k): v for k, v in results.arms[0].by_unit.items()}


def test_the_schema_that_is_documented_is_the_programs():
    assert json.loads(SCHEMA.read_text()) == StudyVerdict.model_json_schema(mode="serialization")


def test_numbers_that_there_are_not_are_null_and_the_file_is_plain_json(folder):
    values = json.loads((folder / "verdict.json").read_text(), parse_constant=pytest.fail)
    published = next(one for one in values["claims"] if one["claim"] == "published")
    assert (published["n"], published["low"], published["p"]) == (1, None, None)


def test_the_same_records_give_the_same_bytes(folder):
    before = (folder / "verdict.json").read_bytes()
    write_report(folder)
    assert (folder / "verdict.json").read_bytes() == before


def test_every_label_has_an_exit_code_that_no_failure_has(folder):
    claim = StudyVerdict.model_validate_json((folder / "verdict.json").read_text()).claims[0]
    codes = {label: exit_code(claim.model_copy(update={"label": label})) for label in LABELS}
    assert codes == {
        **EXIT_CODES, "small": NO_DIFFERENCE, "equivalent": NO_DIFFERENCE, "nogain": NO_DIFFERENCE,
    }  # fmt: skip
    assert not {1, 2, 130} & set(codes.values())


@pytest.mark.parametrize("name", ["main", "primary", "published", "green"])
def test_the_command_prints_a_verdict_and_ends_in_its_code(folder, finished, name, capsys):
    verdict = study_verdict(Results(*finished)).claims_of(name)[0]
    assert run_study.main(["--check", name, "--out", str(folder)]) == exit_code(verdict)
    assert capsys.readouterr().out == verdict_words(verdict) + "\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--check", "nothing"],
            "--check must name a claim, one of main, .*, primary, .*; got 'nothing'",
        ),
        (["--check", "main", "--plan"], "--check goes with none of --plan: it only reads"),
        (["--check", "main", "--list"], "--check goes with none of --list: it only reads"),
        (["--check", ""], "--check must not be empty"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(folder, words, sentence, capsys):
    assert run_study.main([*words, "--out", str(folder)]) == 2
    assert re.search(sentence, capsys.readouterr().err)


def test_a_study_that_has_not_ended_is_not_testable(finished, tmp_path):
    plan, records = finished
    half = [one for one in records if one.stage != "final"]
    found = study_verdict(Results(plan, half))
    assert (found.complete, found.claims_of("primary")[0].label) == (False, "untestable")
    assert "the study has not ended" in verdict_words(found.claims_of("primary")[0])
    assert found.arms == []
