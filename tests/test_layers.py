"""What import-linter cannot say (its contracts stand in pyproject.toml): what a process loads, and what study does not know of MoCo."""

import ast
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from moco.config import Config

ROOT = Path(__file__).parents[1]
RUN_STUDY = ROOT / "run_study.py"
STUDY = sorted((ROOT / "study").rglob("*.py"))
ARGPARSE = {"study/command.py", "moco/command.py", "moco/__main__.py"}  # and nowhere else
MOST_MODULES = 12  # of a folder
# names that the contract between a study and a trainer shares with MoCo's fields
CONTRACT = {"seed", "device", "loss", "epoch"}
# and words that are plainly no fields where they stand
NO_FIELDS = {
    ("study/figures/plotly.py", "width"),  # of a line
    ("study/design/functions/trainer.py", "epochs"),  # usual name among a function's fields
    *(  # options of the command
        (f"study/{file}.py", option)
        for file in ("command", "config_file", "options", "saved")
        for option in ("dataset", "weights")
    ),
    ("study/report/page.py", "labels"),  # of verdicts
    ("study/store/exchange.py", "dataset"),  # key of a line of trials.jsonl
    ("study/judging/columns.py", "optimizer"),  # usual columns of tables that others made
    ("study/judging/columns.py", "method"),
    ("study/judging/columns.py", "precision"),  # the share, as recall
    ("study/store/plan_json.py", "views"),  # key of study.json in version 0.1
}
MOCOS_WORDS = ("moco", "knn", "infonce")
DISTRIBUTION = "moco-study"  # what pip installs and papers cite, and the only such word


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def imports(path):
    """The packages that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def literals(path):
    """Every string of a file, docstrings and parts of f-strings too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def loaded(code):
    """The modules that a process has loaded when this code has run."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_only_commands_parse_arguments():
    rooms = ("moco", "study", "search_spaces")
    sources = [RUN_STUDY, *(path for room in rooms for path in (ROOT / room).rglob("*.py"))]
    assert {name_of(path) for path in sources if "argparse" in imports(path)} <= ARGPARSE


def test_the_command_is_short_and_knows_neither_the_trainer_nor_ray():
    assert not set(imports(RUN_STUDY)) & {"torch", "moco", "ray", "optuna", "plotly"}
    assert len(RUN_STUDY.read_text().splitlines()) < 150


@pytest.mark.parametrize("room", ["moco", "study"])
def test_no_folder_has_more_than_a_dozen_modules(room):
    folders = {path.parent for path in (ROOT / room).rglob("*.py")}
    counts = {name_of(folder): len(list(folder.glob("[!_]*.py"))) for folder in folders}
    assert {name: count for name, count in counts.items() if count > MOST_MODULES} == {}


def test_study_knows_no_field_of_mocos_config():
    names = {field.name for field in fields(Config)} - CONTRACT
    found = {(name_of(path), text) for path in STUDY for text in literals(path) if text in names}
    assert found == NO_FIELDS


def test_study_says_no_word_of_mocos():
    found = {
        (name_of(path), text)
        for path in STUDY
        for text in literals(path)
        if any(word in text.replace(DISTRIBUTION, "").lower() for word in MOCOS_WORDS)
    }
    assert found == set()


def test_a_trial_runs_without_ray_and_optuna():
    modules = loaded("import moco.trainer.trainer, moco.__main__")
    assert "torch" in modules
    assert not {"ray", "optuna", "plotly", "study"} & modules


def test_the_list_of_spaces_needs_no_ray():
    modules = loaded("import run_study; assert run_study.main(['--list']) == 0")
    assert "search_spaces.optimizers" in modules
    assert not {"ray", "optuna", "plotly"} & modules


HELP = """
import run_study
try:
    run_study.main(["--help"])
except SystemExit as end:
    assert end.code == 0
"""


def test_help_needs_neither_the_trainer_nor_ray():
    modules = loaded(HELP)
    assert "argparse" in modules
    assert not {"torch", "moco", "ray", "optuna", "plotly"} & modules


def test_a_redraw_loads_neither_torch_nor_ray(tmp_path):
    code = f"""
import sys
sys.path.insert(0, "tests/study")
import pathlib
import toy
from study.store.directory import open_study
folder = pathlib.Path({str(tmp_path)!r})
plan = toy.plan()
_, ledger = open_study(folder, plan, toy.about())
for record in toy.run_all(plan, toy.task, folder):
    ledger.append(record)
ledger.close()
import run_study
assert run_study.main(["--report", "--out", {str(tmp_path)!r}]) == 0
assert run_study.main(["--verify", "--out", {str(tmp_path)!r}]) == 0
"""
    modules = loaded(code)
    assert (tmp_path / "report.html").exists()
    assert "study.report.page" in modules
    assert not {"torch", "ray", "torchvision", "moco"} & modules
