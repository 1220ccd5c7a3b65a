"""The command: what it prints, and that bad input ends with code 2 and one sentence."""

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
NAMES = "attention, batch_norm, joint, key_momentum, normalisation, optimizers, probe_lr, queue, transfer"


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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--space", "nope"],
            f"--space must be one of {NAMES}, or a Python file; got 'nope'",
        ),
        (
            [],
            f"--space must be one of {NAMES}, or a Python file; got None",
        ),
        (
            ["--space", "optimizers", "--dataset", "nope"],
            "dataset must be one of digits, shapes, cifar10, cifar100, stl10, svhn, a folder of images",
        ),
        (["--space", "optimizers", "--set", "nonsense=3"], "nonsense is no field of a trial"),
        (
            ["--space", "optimizers", "--set", "epochs=many"],
            "epochs must be a whole number; got 'many'",
        ),
        (["--space", "optimizers", "--set", "epochs"], "--set takes KEY=VALUE; got 'epochs'"),
        (
            ["--space", "optimizers", "--set", "epochs=1", "--set", "epochs=2"],
            "--set takes each field once; got epochs twice",
        ),
        (
            ["--space", "optimizers", "--set", "temperature=Infinity"],
            "temperature must be a number; got inf",
        ),
        (
            ["--space", "optimizers", "--set", "temperature=1" + "0" * 400],
            "temperature must be a number; got 1000",
        ),
        (
            ["--space", "optimizers", "--set", "width=1e9"],
            "width must be at most 16; got 1000000000.0",
        ),
        (["--space", "optimizers", "--cores", "0"], "--cores must be 1 or more; got 0"),
        (
            ["--space", "optimizers", "--gpus", "2"],
            "--gpus must lie in [0, 1], since a worker uses one GPU at most; got 2",
        ),
        (["--space", "optimizers", "--gpus", "nan"], "--gpus must lie in [0, 1]"),
        (["--space", "optimizers", "--gpus", "0.5", "--workers", "2"], "got 0.5 with --workers 2"),
        (
            ["--space", "optimizers", "--set", "compile=maybe"],
            "compile must be one of off, on; got 'maybe'",
        ),
        (
            ["--space", "optimizers", "--max-hours", "nan"],
            "--max-hours must be 0 (no limit) or more; got nan",
        ),
        (
            ["--space", "optimizers", "--trials", "1000000000"],
            "a search takes at most 1,000 trials an arm",
        ),
        (["--space", "optimizers", "--set", "lr=0.1"], "--set lr is not free"),
        (["--space", "optimizers", "--set", "method=supervised"], "--set method is not free"),
        (["--space", "optimizers", "--set", "dataset=shapes"], "--set dataset is not free"),
        (["--space", "optimizers", "--trials", "many"], "--trials must be a number of search"),
        (
            ["--space", "optimizers", "--set", "batch_size=4096"],
            "batch_size must not exceed the training split; got 4096 for 2400 images",
        ),
        (["--space", "optimizers", "--set", "score_split=test"], "--set score_split is not free"),
        (["--space", "optimizers", "--set", "device=mps"], "device mps is not on this machine"),
        (
            ["--space", "optimizers", "--workers", "4"],
            "batch_norm_splits must be a multiple of the workers; got 2 for 4",
        ),
        (
            ["--space", "optimizers", "--set", "train_images=5"],
            "train_images must be 0 or at least one a class, 6; got 5",
        ),
        (["--space", "optimizers", "--workers", "0"], "--workers must be 1 or more; got 0"),
        (["--space", "optimizers", "--seeds", "0"], "--seeds must be 1 or more; got 0"),
        (["--space", "optimizers", "--address", "127.0.0.1:1"], "127.0.0.1:1 does not answer"),
        (
            ["--space", "optimizers", "--set", "arms=adam"],
            "--set arms must name rmsprop and sgd, on which the primary claim rests",
        ),
        (
            ["--space", "optimizers", "--set", "arms=sgd,rmsprop,sdg"],
            "takes arms of optimizers: sgd, adam, adamw, adagrad, rmsprop, sgd-plain",
        ),
        (
            ["--space", "optimizers", "--set", "arms=3"],
            "--set arms takes names joined by commas, or all; got 3",
        ),
        (
            ["--space", "optimizers", "--weights", "nowhere.pt"],
            "weights must be one of fair-moco-v1, fair-moco-v2, fair-moco-v2-200, torchvision, or a file; 'nowhere.pt' is neither",
        ),
        (
            ["--space", "optimizers", "--weights", "torchvision"],
            "torchvision has no weights of resnet10; try encoder=resnet18, width=1",
        ),
        (
            ["--space", "optimizers", "--dataset", "digits", "--weights", "fair-moco-v1"],
            "published weights take colour images; those of scikit-learn's digits are grey",
        ),
        (
            ["--space", "transfer", "--weights", "nowhere.pt"],
            "weights must be one of fair-moco-v1, fair-moco-v2, fair-moco-v2-200, torchvision, or a file; 'nowhere.pt' is neither",
        ),
        (
            ["--space", "transfer", "--trials", "5"],
            "--trials is for spaces that search; transfer tunes nothing for an arm",
        ),
        (["--space", "attention", "--set", "attention=layer2"], "--set attention is not free"),
        (
            ["--space", "optimizers", "--set", "attention=layer9"],
            "attention must be none, or some of layer1, layer2, layer3, layer4 joined by +",
        ),
        (
            ["--space", "optimizers", "--set", "probe_each=on", "--set", "probe_optimizer=lbfgs"],
            "probe_each=on needs probe_optimizer=sgd",
        ),
        (["--report", "--out", "nowhere"], "nowhere holds no study"),
        (["--report"], "which study? Name its folder with --out, or give --space and --profile"),
    ],
)
def test_bad_input_ends_with_code_2_and_one_sentence(capsys, words, sentence):
    assert run_study.main([*words, *(["--profile", "quick"] if "--space" in words else [])]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("run_study.py: ")
    assert error.count("\n") == 1


def test_a_study_of_ones_own_data_has_a_folder_of_its_own():
    assert default_folder("optimizers", "quick", None) == Path("results/optimizers-quick")
    assert default_folder("optimizers", "small", "data/my-images/") == Path(
        "results/optimizers-small-my-images"
    )


def test_a_wrong_option_ends_with_code_2(capsys):
    with pytest.raises(SystemExit) as end:
        run_study.main(["--space", "optimizers", "--profile", "huge"])
    assert end.value.code == 2


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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "--space must name a Python file that holds a SPACE; wrong.py is no file"),
        ("SPACE = 1", "wrong.py must hold a SPACE, a study.design.space.Space; got 1"),
        ("import nowhere_at_all", "wrong.py must be importable; it is not (ModuleNotFoundError"),
    ],
)
def test_a_file_that_holds_no_space_is_a_sentence(capsys, monkeypatch, tmp_path, text, sentence):
    monkeypatch.setattr(sys, "path", list(sys.path))
    if text is not None:
        (tmp_path / "wrong.py").write_text(text)
    assert run_study.main(["--space", "wrong.py", "--plan"]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


SPACE_FILE = """
from dataclasses import replace
import sys
sys.path.insert(0, {folder!r})
from toy import SPACE
{change}
"""


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("json", "", "must have a name that no other module has; json is one. Rename the file"),
        ("numpy", "", "must have a name that no other module has; numpy is one"),
        ("ends", "sys.exit('bye')", "must be importable; it is not (SystemExit('bye'))"),
        ("bare", "SPACE = replace(SPACE, trainer=print)", "must be a Trainer; got <built-in"),
        ("open", "SPACE = replace(SPACE, stages={})", "stages must have one named final; got none"),
        ("comma", "SPACE = replace(SPACE, claims=SPACE.claims[0])", "claims must be a tuple"),
        (
            "twice",
            "SPACE = replace(SPACE, reference='rad')",
            "reference must be an arm, one of red",
        ),
    ],
)
def test_a_space_file_that_cannot_be_right_ends_in_a_sentence(
    tmp_path, capsys, name, change, words
):
    folder = str(Path(__file__).parent / "study")
    file = tmp_path / f"{name}.py"
    file.write_text(SPACE_FILE.format(folder=folder, change=change))
    assert run_study.main(["--space", str(file), "--profile", "quick", "--plan"]) == 2
    assert words in capsys.readouterr().err
