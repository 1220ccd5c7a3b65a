"""A whole trial: pretrain, checkpoint, evaluate; killed anywhere it gives the same record."""

import math

import pytest

from moco import data
from moco.trial import run


@pytest.fixture
def values(config):
    return {**config.to_dict(), "dataset": "digits", "image_size": 8, "train_images": 100, "precision": "auto"}


@pytest.fixture
def cached(tmp_path):
    return data.prepare("digits", 8, tmp_path / "data")


def finish(generator):
    rows = []
    while True:
        try:
            rows.append(next(generator))
        except StopIteration as end:
            return rows, end.value


def without_times(rows):
    return [{key: value for key, value in row.items() if key not in ("seconds", "images_per_second")} for row in rows]


@pytest.mark.parametrize("epochs_before_the_kill", [1, 2, 3])
def test_a_trial_killed_after_any_epoch_gives_the_same_result_as_an_uninterrupted_one(values, cached, tmp_path, epochs_before_the_kill):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    rows, result = finish(run(values, tmp_path / "whole", cached))
    killed = run(values, tmp_path / "killed", cached)
    for _ in range(epochs_before_the_kill):
        next(killed)
    del killed
    rows_again, result_again = finish(run(values, tmp_path / "killed", cached))
    assert repr(without_times(rows_again)) == repr(without_times(rows))
    assert result_again == result
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_a_finished_trial_is_not_run_again(values, cached, tmp_path):
    rows, result = finish(run(values, tmp_path, cached))
    rows_again, result_again = finish(run(values, tmp_path, cached))
    assert (repr(rows_again), result_again) == (repr(rows), result)
    assert (tmp_path / "encoder.pt").exists()


def test_a_damaged_checkpoint_means_starting_again(values, cached, tmp_path):
    _rows, result = finish(run(values, tmp_path, cached))
    content = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(content[: len(content) // 2])
    _rows_again, result_again = finish(run(values, tmp_path, cached))
    assert result_again == result


def test_accuracies_are_shares_and_knn_is_measured_as_often_as_asked(values, cached, tmp_path):
    rows, result = finish(run({**values, "score_split": "test"}, tmp_path, cached))
    assert [row["knn_accuracy"] is not None for row in rows] == [False, True, True]
    assert 0 < result["probe_accuracy"] <= 1
    assert 0 < result["knn_accuracy"] <= 1
    assert result["effective_rank"] >= 1
    assert math.isnan(rows[0]["contrastive_accuracy"]) or 0 <= rows[0]["contrastive_accuracy"] <= 1
