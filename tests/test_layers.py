"""Imports only point down: moco and study know nothing of each other, moco nothing of Ray, and a redraw needs neither torch nor Ray."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "moco": {"moco"},
    "study": {"study"},
    "search_spaces": {"search_spaces", "study", "moco"},
}
HOMES = {
    "ray": "study/runner",
    "plotly": ("study/figures", "study/report"),
    "argparse": ("study/cli", "moco/cli", "moco/__main__"),
    "optuna": "study/proposals",
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_lies_below_it(layer):
    ours = {"moco", "study", "search_spaces", "run_study"}
    for path in (ROOT / layer).rglob("*.py"):
        assert not (set(imports(path)) & ours) - ALLOWED[layer], path
        name = path.relative_to(ROOT).as_posix()
        for module, home in HOMES.items():
            assert module not in imports(path) or name.startswith(home), f"{name} imports {module}"


def loaded(code):
    return subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sys.modules))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def test_a_trial_runs_without_ray_and_optuna():
    modules = loaded("import moco.trial, moco.facts, moco.cost, moco.__main__")
    assert "torch" in modules
    assert not {"ray", "optuna", "plotly", "study"} & set(modules)


def test_a_redraw_loads_neither_torch_nor_ray(tmp_path):
    code = f"""
import sys
sys.path.insert(0, "tests/study")
import toy, json, pathlib
from study.plan_file import fix_plan
from study.record import Ledger
folder = pathlib.Path({str(tmp_path)!r})
plan = toy.plan()
fix_plan(folder, plan, {{"command": [], "folder": "x", "versions": {{}}, "commit": "", "created": ""}})
ledger = Ledger(folder)
for record in toy.run_all(plan, toy.task, folder):
    ledger.append(record)
ledger.close()
import run_study
assert run_study.main(["--report", "--out", {str(tmp_path)!r}]) == 0
"""
    modules = loaded(code)
    assert (tmp_path / "report.html").exists()
    assert not {"torch", "ray", "torchvision"} & set(modules)
