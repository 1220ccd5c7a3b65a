"""Every space of the folder, in every profile: its words, its arms, its claims and its fields fit together."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import run_study
import search_spaces
from moco.config import Config
from moco.trainer.trainer import MOCO
from study.design.arms import select_arms
from study.design.facts import DataFacts, Prepared
from study.design.make_plan import make_plan
from study.design.plan import Plan
from study.design.stages import due_trials, expected_trials
from study.search.quasi_random import sobol_points
from study.store.ledger import read_records

NAMES = sorted(
    module.name
    for module in pkgutil.iter_modules(search_spaces.__path__)
    if not module.name.startswith("_")
)
SPACES = [importlib.import_module(f"search_spaces.{name}").SPACE for name in NAMES]
ROWS = {f"R{n}" for n in range(1, 11)}
DATA = DataFacts(
    fingerprint="f" * 64,
    name="digits",
    title="made up",
    counts={"test": 1000},
    classes=("a", "b"),
)


def plan_of(space, profile) -> Plan:
    """The plan with every arm that the space offers by default, as if all that they need were here."""
    sizes = space.profiles[profile]
    return make_plan(
        space=select_arms(space, sizes, {}),
        profile=profile,
        sizes=sizes,
        overrides={},
        prepared=Prepared(DATA, fields={"dataset": "digits"}),
        propose=sobol_points,
    )


@pytest.mark.parametrize("profile", ["quick", "small", "full"])
@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_every_profile_of_every_space_has_a_plan(space, profile):
    plan = plan_of(space, profile)
    trials = list(due_trials(plan, {}))
    assert trials
    expected = expected_trials(plan)
    for stage in ("replica", "search", "beside"):
        assert len({trial.id for trial in trials if trial.stage == stage}) == (
            0 if space.explore and stage == "search" else expected[stage]
        ), stage
    for trial in trials[:: max(1, len(trials) // 20)]:
        Config.of(trial.config)
    for threat in plan.space.threats:
        threat.format(**plan.base)
    for reported in plan.space.reported:
        reported.differs.format(**{**plan.base, **plan.space.arm(reported.arm).values})


@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_every_space_is_trained_by_moco(space):
    assert space.trainer is MOCO


@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_names_in_a_space_are_those_of_its_arms_and_metrics(space):
    names, metrics = [arm.name for arm in space.arms], {metric.name for metric in space.metrics}
    assert len(set(names)) == len(names)
    assert len({arm.title for arm in space.arms}) == len(names)
    assert space.reference in names
    assert {arm.of for arm in space.arms} <= {"", *names}
    assert sum(claim.role == "primary" for claim in space.claims) == 1
    for claim in space.claims:
        assert {claim.better, claim.than} <= set(names), claim
        assert claim.metric in metrics, claim
    for reported in space.reported:
        assert reported.arm in names, reported
        assert reported.metric in {"", *metrics}, reported
    assert all(re.fullmatch(r"[a-z][\w-]*", name) for name in names), (
        "names are classes of the page's style sheet"
    )
    sheet = (Path(run_study.__file__).parent / "study" / "report" / "page.css").read_text()
    assert not set(names) & set(re.findall(r"\.([a-z][\w-]*)", sheet)), (
        "and none that the sheet uses itself"
    )
    assert all(len(arm.title) <= 22 for arm in space.arms), "titles stand beside rows of a figure"


@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_no_question_rests_on_weights_from_elsewhere(space):
    """Without a network they are absent."""
    for claim in space.claims:
        for name in (claim.better, claim.than) if claim.role == "primary" else ():
            arm = space.arm(name)
            assert "weights" not in (space.arm(arm.of) if arm.of else arm).values, claim


@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_an_arms_default_is_a_point_of_its_search(space):
    for arm in space.arms:
        assert set(arm.default) == set(arm.search) or space.explore, arm


def test_every_experiment_of_the_report_is_in_a_space():
    found = {row for space in SPACES for row in re.findall(r"R\d+", space.rows)}
    assert found == ROWS
    printed = {reported.row for space in SPACES for reported in space.reported} & ROWS
    assert printed == ROWS, "each has its number, or that there is none, beside ours"


def test_the_list_has_every_space_with_question_and_rows(capsys):
    assert run_study.main(["--list"]) == 0
    *lines, _, closing = capsys.readouterr().out.splitlines()
    assert "experiments of the student report of 2020" in closing
    assert len(lines) == len(SPACES)
    for space, line in zip(SPACES, lines, strict=True):
        assert line.split()[0] == space.name
        assert space.question in line
        assert f"({space.rows or 'not in the report'})" in line


@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_a_file_opens_with_its_question(space):
    text = (Path(search_spaces.__path__[0]) / f"{space.name}.py").read_text()
    assert re.match(r'"""[A-Z][^\n]*\?\n', text), "the first line asks"


@pytest.mark.parametrize("profile", ["quick", "small", "full"])
@pytest.mark.parametrize("space", SPACES, ids=NAMES)
def test_enough_seeds_for_the_primary_claim_and_the_same_search_for_all(space, profile):
    sizes = space.profiles[profile]
    assert max(sizes.searches, sizes.final_seeds) >= 6
    searched = [arm for arm in space.arms if arm.search]
    assert not searched or sizes.search_trials >= 3
    assert (
        len(
            {
                tuple((name, round(span.decades, 2)) for name, span in arm.search.items())
                for arm in searched
                if not arm.optional
            }
        )
        <= 1
    )


STUDY = """
import sys
from pathlib import Path
import pytest
import official_files, run_study
name, *words = sys.argv[1:]
getattr(official_files, f"write_{name}")(Path("."), pytest.MonkeyPatch(), per_class=10, more=60)
sys.exit(run_study.main(words))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arms"), [("stl10", 4), pytest.param("svhn", 3, marks=pytest.mark.faults)]
)
def test_official_files_become_a_study_and_its_page(tmp_path, name, arms):
    """From the files as their publishers pack them to the answer: STL-10 with its unlabelled images, SVHN without such."""
    fields = [
        "image_size=16",
        "batch_size=8",
        "queue_size=16",
        "epochs=1",
        "probe_epochs=2",
        "precision=float32",
        "knn_neighbours=5",
    ]
    words = [
        "--space",
        "transfer",
        "--profile",
        "quick",
        "--dataset",
        name,
        "--data-dir",
        ".",
        "--seeds",
        "2",
        "--out",
        "out",
    ]
    words += [word for field in fields for word in ("--set", field)]
    root = Path(run_study.__file__).parent
    paths = os.pathsep.join(map(str, (root, root / "tests" / "moco")))
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
    }  # a process of its own: Ray reads its settings once
    done = subprocess.run(
        [sys.executable, "-c", STUDY, name, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    records = read_records(tmp_path / "out")
    assert {record.status for record in records} == {"finished"}
    assert len(records) == 2 * (arms + 1)  # and the raw pixels
    if name == "stl10":
        by_arm = {record.arm: record for record in records}
        assert by_arm["unlabelled"].curve[-1]["step"] > by_arm["moco"].curve[-1]["step"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert (
        "FAIR v1 is not run: weights absent: fair-moco-v1 is not on this machine; put moco_v1_200ep_pretrain.pth.tar from"
        in page
    )
    assert "Given is not run: no file was given with --weights." in page
