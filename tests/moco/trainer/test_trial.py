"""A whole trial: pretrain, checkpoint, evaluate; killed anywhere it gives the same record."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from finishing import finish

from moco.data import cache
from moco.trainer.trial import run_config
from moco.training import checkpoint
from moco.training.loop import Training
from moco.training.optimizers import OPTIMIZERS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def values(config):
    return {
        **config.to_dict(),
        "dataset": "digits",
        "image_size": 8,
        "train_images": 100,
        "precision": "auto",
    }


@pytest.fixture
def cached(tmp_path):
    return cache.prepare("digits", 8, tmp_path / "data")


def without_times(rows):
    return [
        {key: value for key, value in row.items() if key not in ("seconds", "images_per_second")}
        for row in rows
    ]


@pytest.mark.parametrize("epochs_before_the_kill", [1, 2, 3])
def test_a_trial_killed_after_any_epoch_gives_the_same_result_as_an_uninterrupted_one(
    values, cached, tmp_path, epochs_before_the_kill
):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    rows, result = finish(run_config(values, tmp_path / "whole", cached))
    killed = run_config(values, tmp_path / "killed", cached)
    for _ in range(epochs_before_the_kill):
        next(killed)
    del killed
    rows_again, result_again = finish(run_config(values, tmp_path / "killed", cached))
    assert repr(without_times(rows_again)) == repr(without_times(rows))
    assert result_again == result
    assert [row["epoch"] for row in rows] == [1, 2, 3]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_killed_at_a_random_step_the_remaining_epochs_are_bit_for_bit_the_same(
    values, cached, tmp_path, monkeypatch, optimizer
):
    values = {**values, "optimizer": optimizer, "lr": 0.01, "precision": "float32"}
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    rows, result = finish(run_config(values, tmp_path / "whole", cached))
    last_step = int(
        np.random.default_rng(sum(map(ord, optimizer))).integers(7, rows[-1]["step"])
    )  # in the second epoch or the third
    whole_step = Training.train_step

    def step_or_die(self, batch, chance):
        if self.step == last_step:
            raise KeyboardInterrupt
        return whole_step(self, batch, chance)

    monkeypatch.setattr(Training, "train_step", step_or_die)
    with pytest.raises(KeyboardInterrupt):
        finish(run_config(values, tmp_path / "killed", cached))
    monkeypatch.undo()
    rows_again, result_again = finish(run_config(values, tmp_path / "killed", cached))
    assert repr(without_times(rows_again)) == repr(without_times(rows))
    assert result_again == result
    assert result_again["encoder_sha256"] == result["encoder_sha256"]


@pytest.mark.slow
def test_a_real_kill_loses_at_most_an_epoch(tmp_path):
    words = [
        "--data-dir",
        str(tmp_path),
        "--width",
        "0.125",
        "--epochs",
        "6",
        "--device",
        "cpu",
        "--queue-size",
        "64",
        "--optimizer",
        "adamw",
        "--lr",
        "1e-3",
    ]
    command = [sys.executable, "-m", "moco", *words, "--out"]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads that wait for a busy core take minutes
    first = subprocess.Popen(
        [*command, str(tmp_path / "killed")],
        cwd=ROOT,
        env=alone,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in first.stdout:
        if line.startswith("epoch 3/"):
            first.kill()
            break
    first.wait()
    first.stdout.close()
    for name in ("killed", "whole"):
        subprocess.run(
            [*command, str(tmp_path / name)], cwd=ROOT, env=alone, check=True, capture_output=True
        )
    results = [
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("killed", "whole")
    ]
    assert results[0] == results[1]


METHODS = [
    {"method": "supervised"},
    {"method": "frozen"},
    {"finetune_epochs": 2},
    {"probe_optimizer": "lbfgs"},
    {"loss": "symmetric_sum", "own_keys": "mask"},
    {"attention": "layer2+layer3", "attention_output": "join", "pictures": 2, "finetune_epochs": 1},
]


@pytest.mark.parametrize("changes", METHODS)
def test_every_kind_of_trial_can_be_killed_at_any_save_and_gives_the_same_result(
    values, cached, tmp_path, monkeypatch, changes
):
    values = {**values, **changes}
    (tmp_path / "whole").mkdir()
    saves = []
    save_generation = checkpoint.save_generation
    monkeypatch.setattr(
        checkpoint,
        "save_generation",
        lambda path, content: (save_generation(path, content), saves.append(path)),
    )
    rows, result = finish(run_config(values, tmp_path / "whole", cached))
    for survived in range(1, len(saves)):
        folder = tmp_path / f"killed-{survived}"
        folder.mkdir()
        done = []

        def save_or_die(path, content, done=done, survived=survived):
            if len(done) == survived:
                raise KeyboardInterrupt
            save_generation(path, content)
            done.append(path)

        monkeypatch.setattr(checkpoint, "save_generation", save_or_die)
        with pytest.raises(KeyboardInterrupt):
            finish(run_config(values, folder, cached))
        monkeypatch.setattr(checkpoint, "save_generation", save_generation)
        rows_again, result_again = finish(run_config(values, folder, cached))
        assert result_again == result
        assert repr(without_times(rows_again)) == repr(without_times(rows))


def test_each_kind_of_trial_reports_what_it_has(values, cached, tmp_path):
    found = {}
    for number, changes in enumerate(METHODS):
        (tmp_path / str(number)).mkdir()
        found[number] = finish(run_config({**values, **changes}, tmp_path / str(number), cached))[1]
    supervised, frozen, finetuned, by_lbfgs, *_ = found.values()
    assert 0 <= supervised["supervised_accuracy"] <= 1
    assert supervised["knn_projection_accuracy"] is None
    assert frozen["loss"] is None
    assert 0 <= finetuned["finetune_accuracy"] <= 1
    assert (by_lbfgs["probe_lr"], by_lbfgs["probe_l2"] > 0) == (None, True)
    assert "finetune_accuracy" not in frozen


def test_a_queue_that_never_filled_has_no_accuracy_and_has_not_diverged(values, cached, tmp_path):
    _, result = finish(run_config({**values, "queue_size": 5000}, tmp_path, cached))
    assert result["contrastive_accuracy"] is None
    assert 0 <= result["own_keys"] <= 1
    assert not [
        name for name, value in result.items() if isinstance(value, float) and value != value
    ]


def test_shuffled_labels_are_the_floor(values, cached, tmp_path):
    """Ten classes: about a tenth is right, however good the encoder."""
    values = {**values, "train_images": 400, "score_split": "test", "probe_epochs": 30}
    values["precision"] = "float32"  # the same numbers on every kind of CPU
    scores = {}
    for labels in ("true", "shuffled"):
        folder = tmp_path / labels
        folder.mkdir()
        scores[labels] = finish(run_config({**values, "labels": labels}, folder, cached))[1]
    assert scores["true"]["probe_accuracy"] > 0.5
    assert scores["shuffled"]["probe_accuracy"] < 0.25
    assert scores["shuffled"]["knn_accuracy"] < 0.25
    assert (
        scores["true"]["encoder_sha256"] == scores["shuffled"]["encoder_sha256"]
    )  # MoCo looks at no label


def test_a_finished_trial_is_not_run_again(values, cached, tmp_path):
    rows, result = finish(run_config(values, tmp_path, cached))
    rows_again, result_again = finish(run_config(values, tmp_path, cached))
    assert (repr(rows_again), result_again) == (repr(rows), result)
    assert {file.name for file in tmp_path.iterdir()} >= {
        "checkpoint.pt",
        "encoder.pt",
        "head.pt",
        "evaluation.json",
    }
    assert not (tmp_path / "previous-checkpoint.pt").exists()


def test_a_damaged_checkpoint_means_starting_again(values, cached, tmp_path):
    _rows, result = finish(run_config(values, tmp_path, cached))
    content = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(content[: len(content) // 2])
    _rows_again, result_again = finish(run_config(values, tmp_path, cached))
    assert result_again == result


def test_accuracies_are_shares_and_knn_is_measured_as_often_as_asked(values, cached, tmp_path):
    rows, result = finish(run_config({**values, "score_split": "test"}, tmp_path, cached))
    assert [row["knn_accuracy"] is not None for row in rows] == [False, True, True]
    assert 0 < result["probe_accuracy"] <= 1
    assert 0 < result["knn_accuracy"] <= 1
    assert result["effective_rank"] >= 1
    assert math.isnan(rows[0]["contrastive_accuracy"]) or 0 <= rows[0]["contrastive_accuracy"] <= 1
