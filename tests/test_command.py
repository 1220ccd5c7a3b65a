"""The command: what it prints, and that bad input ends with code 2 and one sentence."""

from pathlib import Path

import pytest

import run_study
from search_spaces.optimizers import SPACE as WHOLE
from study.design.plan import arms_of, make_plan
from study.design.stages import expected_trials
from study.store.directory import default_folder

SPACE = arms_of(WHOLE, WHOLE.profiles["quick"], {})  # the arms that are not optional


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
        "confirm",
        "final",
        "SGD",
        "RMSprop",
        "AdamW",
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
            "--space must be one of attention, batch_norm, joint, key_momentum, normalisation, optimizers, probe_lr, queue, transfer; got 'nope'",
        ),
        (
            [],
            "--space must be one of attention, batch_norm, joint, key_momentum, normalisation, optimizers, probe_lr, queue, transfer; got None",
        ),
        (
            ["--space", "optimizers", "--dataset", "nope"],
            "dataset must be one of digits, shapes, cifar10, cifar100, stl10, svhn, or a folder",
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
            "a search takes at most 10,000 trials an arm",
        ),
        (["--space", "optimizers", "--set", "lr=0.1"], "--set lr is not free"),
        (
            ["--space", "optimizers", "--set", "batch_size=4096"],
            "batch_size must not exceed the training split; got 4096 for 1120 images",
        ),
        (["--space", "optimizers", "--set", "score_split=test"], "--set score_split is not free"),
        (["--space", "optimizers", "--set", "device=mps"], "device mps is not on this machine"),
        (
            ["--space", "optimizers", "--workers", "4"],
            "batch_norm_splits must be a multiple of the workers; got 2 for 4",
        ),
        (
            ["--space", "optimizers", "--set", "train_images=5"],
            "train_images must be 0 or at least one a class, 10; got 5",
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
        (["--report"], "--report needs --out, or --space and --profile"),
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


def complete(values):
    from moco.trainer.dataset_facts import complete as check

    return check(values, "digits")


@pytest.mark.parametrize("profile", SPACE.profiles)
def test_every_profile_of_the_space_plans_equal_budgets_for_every_optimizer(profile):
    data = {"fingerprint": "0" * 64}
    plan = make_plan(SPACE, profile, SPACE.profiles[profile], {}, data, 1, complete)
    expected = expected_trials(plan)
    assert expected["final"] == len(SPACE.arms) * plan.sizes.final_seeds
    assert plan.sizes.final_seeds >= 6
    assert {round(span.decades, 6) for arm in SPACE.arms for span in arm.search.values()} == {3.0}
    assert sum(claim.role == "primary" for claim in SPACE.claims) == 1


def test_the_replica_is_the_reports_setting():
    from study.design.stages import due

    plan = make_plan(
        SPACE, "quick", SPACE.profiles["quick"], {}, {"fingerprint": "0" * 64}, 1, complete
    )
    replica = [trial.config for trial in due(plan, {}) if trial.stage == "replica"]
    assert {config["optimizer"] for config in replica} == {"sgd", "adam", "adagrad", "rmsprop"}
    assert {
        (config["lr"], config["momentum"], config["weight_decay"], config["schedule"])
        for config in replica
    } == {(0.03, 0.9, 1e-4, "constant")}
