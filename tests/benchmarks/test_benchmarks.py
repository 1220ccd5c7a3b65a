"""The benchmarks measure what they say; the figures themselves are no tests."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import results
from benchmarks.__main__ import PARTS, main
from benchmarks.growth import growth
from benchmarks.ours import SIDES
from benchmarks.records import LIMIT, cost_of, plan_of, records
from benchmarks.rounds import ROOT, Side, in_turn
from benchmarks.table import Table


@pytest.fixture
def sleepers(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    return lambda name, seconds=0.0: Side("sleepers", name, {"seconds": seconds})


def test_sides_run_in_turn_and_are_timed_apart(sleepers):
    seconds = in_turn(
        {
            "long": sleepers("sleeper", 0.2),
            "short": sleepers("sleeper", 0.05),
            "chatty": sleepers("chatty"),
        },
        rounds=3,
    )
    assert [len(side.rounds) for side in seconds.values()] == [3, 3, 3]
    assert min(seconds["long"].rounds) >= 0.2
    assert min(seconds["short"].rounds) >= 0.05
    assert re.fullmatch(r"[-+]\d+% to \+\d+%", seconds["long"].spread)


def test_a_side_that_fails_is_named(sleepers):
    with pytest.raises(RuntimeError, match="the side 'wrong' ended with exit code 1"):
        in_turn({"wrong": sleepers("broken")}, rounds=1)


@pytest.mark.parametrize(
    ("costs", "word"),
    [
        ([5, 5.1], "not at all"),
        ([1, 3], "less than linearly"),
        ([1, 10], "linearly"),
        ([1, 30], "worse than linearly"),
    ],
)
def test_growth_is_named_by_the_largest_two(costs, word):
    assert growth([10, 100], costs).startswith(f"{word} (")


def test_a_part_replaces_what_it_found_before_and_all_else_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FILE", tmp_path / "RESULTS.md")
    machines = ["An older machine", "This machine"]
    for machine, part, number in (
        (0, "views", "1"),
        (1, "views", "2"),
        (1, "step", "3"),
        (1, "views", "4"),
    ):
        monkeypatch.setattr(results, "machine", lambda name=machines[machine]: name)
        results.keep(
            part,
            [Table("A title", ["side", "views/s"], [["ours", number]], "A note.")],
            0.1,
            list(PARTS),
        )
    found = results.read()
    assert list(found) == machines
    assert [*found["This machine"]] == ["step", "views"]
    assert "| ours | 1 |" in found["An older machine"]["views"]
    assert "| ours | 4 |" in found["This machine"]["views"]
    text = results.FILE.read_text()
    assert text.startswith(results.INTRODUCTION)
    assert "| ours | 2 |" not in text
    results.keep("views", [Table("A title", ["side", "views/s"], [], "Not run.")], 0.1, list(PARTS))
    assert results.FILE.read_text() == text


def test_every_part_is_a_module_that_runs_and_an_unknown_one_is_refused(capsys):
    for part in PARTS:
        assert callable(importlib.import_module(f"benchmarks.{part}").run)
    with pytest.raises(SystemExit):
        main(["steps"])
    assert "a part is one of step, profile" in capsys.readouterr().err


def test_what_peers_run_knows_nothing_of_ours():
    tree = ast.parse((ROOT / "benchmarks" / "peers.py").read_text())
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {
        name for name in names if name and name.split(".")[0] in ("moco", "study", "search_spaces")
    }
    assert {name for name in names if name and name.startswith("benchmarks")} == {"benchmarks.side"}


def test_the_parts_about_training_run_where_ray_is_not():
    code = "import benchmarks.__main__, benchmarks.step, benchmarks.profile, benchmarks.scale, benchmarks.probe, benchmarks.views, benchmarks.recipe, sys"
    names = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"ray", "optuna", "plotly", "pandas", "scipy", "sklearn"} & set(names)


@pytest.mark.parametrize("name", SIDES)
def test_each_of_our_sides_runs_a_round(name):
    torch.set_num_threads(1)
    settings = {
        "images": 32,
        "size": 16,
        "batch_size": 16,
        "queue_size": 64,
        "stem": "small",
        "width": 0.0625,
        "batch_norm_splits": 2,
    }
    SIDES[name](settings)()


@pytest.mark.slow
def test_a_hundred_made_up_records_become_a_report_far_below_the_aim():
    cost = cost_of(100, 5)
    assert cost.page > 1
    assert cost.megabytes < LIMIT[1]


def test_made_up_records_reach_the_final_stage():
    made = records(plan_of(900), 900, 2)
    assert {record.stage for record in made} >= {"replica", "control", "search", "final"}
