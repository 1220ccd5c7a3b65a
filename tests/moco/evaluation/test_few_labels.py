"""Few labels or none: which images lend theirs, and what is measured without any."""

import json

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

import run_study
from moco import __main__
from moco.config import Config
from moco.data.splits import make_splits
from moco.evaluation.evaluate import SHARES, evaluate, few_labels, validation_knn
from moco.model.encoder import build_encoder

SMALL = ["--epochs=2", "--queue-size=32", "--batch-size=16", "--image-size=16", "--width=0.0625"]


def test_so_many_of_each_class_are_chosen_and_the_fewer_lie_in_the_more():
    labels = torch.arange(90) % 3
    few, more = (set(few_labels(labels, count, seed=4).tolist()) for count in (2, 10))
    assert few < more
    assert torch.bincount(labels[list(more)]).tolist() == [10, 10, 10]
    assert few != set(few_labels(labels, 2, seed=5).tolist())
    assert few_labels(labels, 0, seed=4).tolist() == list(range(90))
    assert len(few_labels(labels, 1000, seed=4)) == 90


def test_the_probe_learns_from_these_labels_alone_and_by_shares_on_the_test_split(dataset, config):
    values = {**config.to_dict(), "score_split": "test"}

    def numbers(**changes):
        own = Config.of({**values, **changes})
        torch.manual_seed(0)
        encoder = build_encoder(own, 3)
        return evaluate(encoder, make_splits(dataset, own), dataset, own).numbers

    names = [f"probe_accuracy_{share:.0%}".replace("%", "_percent") for share in SHARES]
    assert names == ["probe_accuracy_1_percent", "probe_accuracy_10_percent"]
    every, two = numbers(), numbers(labelled=2)
    assert all(0 <= every[name] <= 1 for name in names)
    assert [two[name] for name in names] == [None, None]
    # 77 training images of three classes: a tenth of the labels are three a class
    assert numbers(labelled=3)["probe_accuracy"] == every["probe_accuracy_10_percent"]
    assert two["effective_rank"] == every["effective_rank"]  # it is that of all images
    on_validation = numbers(score_split="validation")
    assert [on_validation[name] for name in names] == [None, None]


@pytest.fixture
def photographs(tmp_path):
    """A tree of 60 images of odd sizes without labels."""
    draws = np.random.default_rng(0)
    for i in range(60):
        folder = tmp_path / "photos" / f"{2019 + i % 2}" / "may"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draws.integers(0, 255, (20 + i % 7, 31 - i % 5, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    Image.new("RGB", (30, 30)).save(tmp_path / "photos" / "cover.png")
    return tmp_path / "photos"


def test_images_without_labels_are_pretrained_on_and_the_encoder_is_exported(
    photographs, tmp_path, capsys
):
    words = ["--dataset", str(photographs), "--out", str(tmp_path / "run"), "--width=1"]
    place = ["--data-dir", str(tmp_path / "data"), "--encoder=resnet18", "--stem=imagenet"]
    assert __main__.main([*SMALL, *words, *place]) == 0
    text = capsys.readouterr().out
    assert "Read as: 61 images without labels, no file skipped" in text
    assert "No labels, so no accuracy; loss" in text
    assert "Alignment" in text
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["knn_accuracy"] is result["probe_accuracy"] is None
    assert 0 < result["alignment"] < 4
    assert result["effective_rank"] > 0
    model = torchvision.models.resnet18()
    model.fc = torch.nn.Identity()
    model.load_state_dict(torch.load(tmp_path / "run" / "encoder.pt"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--method", "supervised"], "method supervised needs labels; folder photos has none"),
        (["--finetune-epochs", "2"], "finetune_epochs needs labels"),
        (["--labelled", "3"], "labelled needs labels"),
    ],
)
def test_what_needs_labels_says_so(words, sentence, photographs, tmp_path, capsys):
    place = ["--dataset", str(photographs), "--data-dir", str(tmp_path / "data")]
    assert __main__.main([*SMALL, *place, *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_study_without_labels_is_refused_and_few_would_do(photographs, tmp_path, capsys):
    words = ["--space", "optimizers", "--dataset", str(photographs), "--plan"]
    assert (
        run_study.main([*words, "--data-dir", str(tmp_path / "data"), "--set", "batch_size=16"])
        == 2
    )
    text = capsys.readouterr().err
    assert "a study compares accuracies, and folder photos has no labels" in text
    assert "put 10 images a class into train/<class>/" in text


def test_the_knn_of_an_epoch_votes_with_these_labels_alone(dataset, config):
    torch.manual_seed(0)
    encoder = build_encoder(config, 3).eval()

    def knn(labelled):
        own = Config.of({**config.to_dict(), "labelled": labelled, "knn_neighbours": 1})
        return validation_knn(encoder, make_splits(dataset, own), dataset, own)["knn_accuracy"]

    assert knn(10**6) == knn(0)
    assert knn(1) != knn(0)
