"""The published studies: each is whole, ended, without paths of a machine, and in the table."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
import toy as toy_module
from report.test_page import write_study

from study.analysis.results import Results
from study.design.stages import is_finished
from study.export.standing import standing_table
from study.report.folder import read_folder
from study.report.page import write_report

DOCS = Path(__file__).parents[3] / "docs"
RECORDS = DOCS / "records"
STUDIES = sorted(path.parent for path in RECORDS.glob("*/study.json"))
MEGABYTE = 1_000_000
BEFORE_HASHES = ("optimizers-small",)  # made by a version whose records had none


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_a_published_study_is_whole_ended_and_has_a_page(folder, tmp_path):
    assert {path.name for path in folder.iterdir()} <= {"study.json", "records.jsonl"}
    study = read_folder(folder)
    records = study.results.records
    assert study.changes == []
    assert all(record.link for record in records) or folder.name in BEFORE_HASHES
    assert is_finished(study.file.plan, study.results.final)
    copy = shutil.copytree(folder, tmp_path / folder.name)
    write_report(copy)
    text = (folder / "study.json").read_text() + (folder / "records.jsonl").read_text()
    assert not re.search(r'"(/|~|[A-Z]:\\\\)', text)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5 * MEGABYTE


def test_all_of_them_are_small_and_make_results_says_what_the_records_say(tmp_path):
    """Texts, figures and pages are those that the records give, byte for byte."""
    files = [path for path in RECORDS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 10 * MEGABYTE
    copy = shutil.copytree(RECORDS, tmp_path / "docs" / "records")
    spec = importlib.util.spec_from_file_location("make_results", DOCS / "make_results.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.write_results(copy, tmp_path / "docs")
    made = {path.relative_to(tmp_path / "docs"): path for path in all_files(tmp_path / "docs")}
    for place in ("figures", "pages"):
        assert {path.name for path in (DOCS / place).iterdir()} == {
            path.name for path in (tmp_path / "docs" / place).iterdir()
        }
    different = [
        str(name) for name, path in made.items() if path.read_bytes() != (DOCS / name).read_bytes()
    ]
    assert different == [], "make results"


def all_files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_row_says_label_difference_and_what_failed_and_a_changed_folder_shows(tmp_path):
    plan = toy_module.plan(search_trials=3, final_seeds=5)
    records = toy_module.run_all(plan, toy_module.task, tmp_path / "work")
    folder = write_study(tmp_path / "toy-quick", plan, records)
    table = standing_table([read_folder(folder)])
    verdict = Results(plan, records).verdict("primary")
    mean = f"+{verdict.result.mean:.1f} points"
    assert f"| Blue scores higher than red | Not testable | {mean} [" in table
    assert "| 5 | Range and Seeds |" in table or "| 5 | Seeds |" in table
    assert f"Hashes: whole: each of {len(records)} records carries the hash of the one" in table
    lines = (folder / "records.jsonl").read_text().splitlines()
    lines[3] = json.dumps({**json.loads(lines[3]), "seconds": 99.0})
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
    assert "Hashes: Line 4 of records.jsonl was changed" in standing_table([read_folder(folder)])
