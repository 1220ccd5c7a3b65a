"""The command: what it prints, and which spaces it takes; what it refuses stands in the catalogue."""

import sys
from pathlib import Path

import pytest

import run_study
from search_spaces.optimizers import SPACE as WHOLE
from study.design.arms import select_arms
from study.design.facts import DataFacts, Prepared
from study.design.make_plan import make_plan
from study.design.stages import due_trials, expected_trials
from study.options import Options
from study.search.quasi_random import sobol_points
from study.space_file import with_own_code
from study.store.directory import default_folder

SPACE = select_arms(WHOLE, WHOLE.profiles["quick"], {})  # the arms that are not optional


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_list_has_each_space_with_its_question(capsys):
    assert run_study.main(["--list"]) == 0
    assert "optimizers     Does RMSprop beat SGD for MoCo pretraining?" in capsys.readouterr().out


def test_the_plan_names_stages_arms_trials_cost_and_the_detectable_difference(capsys):
    assert run_study.main(["--space", "optimizers", "--profile", "quick", "--plan"]) == 0
    text = capsys.readouterr().out
    for word in (
        "replica",
        "search",
        "beside",
        "added",
        "final",
        "SGD",
        "RMSprop",
        "Adagrad",
        "lr 0.003 to 3",
        "Cost:",
        "trials are left",
        "Detectable:",
    ):
        assert word in text
    assert not Path("results").exists()


def test_a_study_of_ones_own_data_has_a_folder_of_its_own():
    assert default_folder("optimizers", "quick", None) == Path("results/optimizers-quick")
    assert default_folder("optimizers", "small", "data/my-images/") == Path(
        "results/optimizers-small-my-images"
    )


def make(profile):
    return make_plan(
        space=SPACE,
        profile=profile,
        sizes=SPACE.profiles[profile],
        overrides={},
        prepared=Prepared(DataFacts(fingerprint="0" * 64), fields={"dataset": "digits"}),
        propose=sobol_points,
    )


@pytest.mark.parametrize("profile", SPACE.profiles)
def test_every_profile_of_the_space_plans_equal_budgets_for_every_optimizer(profile):
    plan = make(profile)
    expected = expected_trials(plan)
    assert expected["final"] == len(SPACE.arms) * plan.sizes.searches * plan.sizes.final_seeds
    assert plan.pairs == plan.sizes.searches >= 6
    assert {round(span.decades, 6) for arm in SPACE.arms for span in arm.search.values()} == {3.0}
    assert sum(claim.role == "primary" for claim in SPACE.claims) == 1


def test_the_replica_is_the_reports_setting():
    trials = due_trials(make("quick"), {})
    replica = [trial.config for trial in trials if trial.stage == "replica"]
    assert {config["optimizer"] for config in replica} == {"sgd", "adam", "adagrad", "rmsprop"}
    assert {
        (config["lr"], config["momentum"], config["weight_decay"], config["schedule"])
        for config in replica
    } == {(0.03, 0.9, 1e-4, "constant")}


OWN_SPACE = """
from dataclasses import replace
from toy import SPACE
SPACE = replace(SPACE, name="mine")
"""


def test_a_space_of_ones_own_is_a_file(capsys, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "study"))
    (tmp_path / "mine.py").write_text(OWN_SPACE)
    assert run_study.main(["--space", "mine.py", "--profile", "quick", "--plan"]) == 0
    assert "of mine, profile quick" in capsys.readouterr().out


def test_a_space_is_named_by_its_module_too_and_what_lies_beside_it_is_sent_along(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "study"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_helper.py").write_text("NAME = 'mine'\n")
    text = OWN_SPACE.replace('"mine"', "NAME").replace("SPACE =", "MINE =")
    (tmp_path / "my_questions.py").write_text(f"from my_helper import NAME\n{text}")
    try:
        words = ["--space", "my_questions:MINE", "--profile", "quick", "--plan"]
        assert run_study.main(words) == 0
        assert "of mine, profile quick" in capsys.readouterr().out
        sent = with_own_code(Options(), "my_questions:MINE").modules
        assert set(sent) == {"my_helper", "my_questions"}
        assert set(with_own_code(Options(), "./my_questions.py").modules) == set(sent)
        code = (tmp_path,)
        package = with_own_code(Options(code=code), "search_spaces.queue:SPACE").code
        assert package == (*code, Path(run_study.__file__).parent / "search_spaces")
        assert run_study.main(["--space", "my_questions:NOTHING", "--plan"]) == 2
        assert "my_questions:NOTHING must name an object in a module" in capsys.readouterr().err
        assert run_study.main(["--space", "my_questions:NAME", "--plan"]) == 2
        assert "my_questions:NAME must hold a SPACE" in capsys.readouterr().err
    finally:
        for name in ("my_helper", "my_questions"):
            sys.modules.pop(name, None)
