"""A checkpoint that is another run's, or such as no run leaves, is set aside: the trial begins again."""

import pytest
import torch
from finishing import finish

from moco.config import Config
from moco.data import cache
from moco.trainer.trial import run_config
from moco.trainer.trial_checkpoint import SET_ASIDE, is_plausible

SMALL = Config.of(
    {
        "dataset": "digits", "image_size": 8, "encoder": "resnet10", "width": 0.125, "epochs": 1,
        "batch_size": 256, "queue_size": 256, "train_images": 300, "device": "cpu",
    }
).to_dict()  # fmt: skip


def run(values, folder, cached):
    folder.mkdir(exist_ok=True)
    return finish(run_config(values, folder, cached))


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    return cache.prepare("digits", 8, tmp_path_factory.mktemp("data"))


@pytest.fixture
def ended(cached, tmp_path_factory):
    """A folder of a trial that has ended, and its numbers; as many threads as the test has."""
    folder = tmp_path_factory.mktemp("trial")
    return folder, *run(SMALL, folder, cached)


def comparable(result):
    """What a run gives at every repetition; times differ."""
    return [result[name] for name in ("loss", "knn_accuracy", "probe_accuracy", "encoder_sha256")]


def test_the_same_run_takes_its_result_from_its_checkpoint(ended, cached):
    folder, _, result = ended
    assert comparable(run(SMALL, folder, cached)[1]) == comparable(result)


def test_another_trial_s_result_is_not_taken_for_this_one_s(ended, cached, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes((ended[0] / "checkpoint.pt").read_bytes())
    other = {**SMALL, "lr": 0.05}
    _, result = run(other, tmp_path, cached)
    assert result["remarks"][-1] == SET_ASIDE
    assert (tmp_path / "foreign-checkpoint.pt").exists()
    clean = tmp_path / "clean"
    assert comparable(run(other, clean, cached)[1]) == comparable(result)


@pytest.mark.parametrize("kind", ["list", "other keys", "impossible accuracy", "curve of text"])
def test_what_no_run_leaves_is_set_aside_and_the_numbers_are_those_of_a_calm_run(
    ended, cached, tmp_path, kind
):
    content = torch.load(ended[0] / "checkpoint.pt", weights_only=True)
    content = {
        "list": lambda: [1, 2],
        "other keys": lambda: {"model": 3},
        "impossible accuracy": lambda: {
            **content, "result": {**content["result"], "probe_accuracy": 500},
        },
        "curve of text": lambda: {**content, "curve": ["x"]},
    }[kind]()  # fmt: skip
    torch.save(content, tmp_path / "checkpoint.pt")
    rows, result = run(SMALL, tmp_path, cached)
    assert comparable(result) == comparable(ended[2])
    assert len(rows) == len(ended[1])


def test_an_accuracy_that_is_not_known_is_plausible():
    content = {"curve": [], "result": {"knn_accuracy": None, "probe_accuracy": float("nan")}}
    assert is_plausible(content)
    assert not is_plausible({**content, "result": {"probe_accuracy": "0.5"}})
