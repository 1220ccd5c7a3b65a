"""What a run leaves for others: weights that torchvision loads, and a card whose numbers are the result's."""

import contextlib
import json
import re
import shutil
import sys
from dataclasses import replace

import pytest
import torch
import torchvision
import yaml
from safetensors.torch import load_file, save_file
from scipy.stats import binomtest

from moco import __main__
from moco.export import load_encoder, wilson_interval
from moco.model.encoder import build_encoder

SMALL = [
    "--epochs=1",
    "--queue-size=32",
    "--batch-size=16",
    "--train-images=60",
    "--probe-epochs=5",
]


def run(tmp_path, *words):
    folder = tmp_path / "run"
    assert (
        __main__.main(["--data-dir", str(tmp_path / "data"), "--out", str(folder), *SMALL, *words])
        == 0
    )
    return folder


def front_matter(card):
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n", card, re.DOTALL).group(1))


def test_the_card_has_the_results_numbers_with_n_and_the_encoder_loads(tmp_path, capsys):
    folder = run(tmp_path, "--image-size=8", "--width=0.0625", "--license", "CC: [by]")
    assert "For others: encoder.safetensors and README.md" in capsys.readouterr().out
    result = json.loads((folder / "result.json").read_text())
    card = (folder / "README.md").read_text()
    head = front_matter(card)
    assert head["license"] == "CC: [by]"
    assert "Licence of the data:\nCC: [by]." in card
    metrics = head["model-index"][0]["results"][0]["metrics"]
    assert [m["value"] for m in metrics] == [
        pytest.approx(100 * result[key], abs=0.01) for key in ("probe_accuracy", "knn_accuracy")
    ]
    assert "n = 280 images" in card
    low, high = binomtest(round(result["probe_accuracy"] * 280), 280).proportion_ci(method="wilson")
    assert f"| {100 * low:.1f} to {100 * high:.1f} |" in card
    assert "60 images to train on, 10 classes" in card
    encoder, state = load_encoder(folder), torch.load(folder / "encoder.pt")
    assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())
    assert encoder(torch.rand(2, 1, 8, 8)).shape == (2, 32)
    assert "| `image_size` | 8 |" in card
    assert features_of(card, folder).shape == (8, 32)
    run(tmp_path, "--image-size=8", "--width=0.0625")  # complete: the card stays
    assert (folder / "README.md").read_text() == card
    run(tmp_path, "--image-size=8", "--width=0.0625", "--license", "mit")
    assert front_matter((folder / "README.md").read_text())["license"] == "mit"


def run_code(card, folder):
    """The names that a card's lines of code define, run in its folder."""
    code = re.search(r"```python\n(.*?)\n```", card, re.DOTALL).group(1)
    names = {}
    with contextlib.chdir(folder):
        exec(code, names)
    return names


def features_of(card, folder):
    """The features that a card's lines of code give."""
    return run_code(card, folder)["features"]


TIED = """
import torch


class Tied(torch.nn.Module):
    feature_size = 8

    def __init__(self, channels):
        super().__init__()
        self.first = torch.nn.Conv2d(channels, 8, 3, 2, 1)
        self.inner = torch.nn.Conv2d(8, 8, 3, 1, 1)
        self.again = self.inner

    def forward(self, images):
        return self.again(self.inner(self.first(images))).mean((2, 3))
"""


def test_an_encoder_of_ones_own_with_shared_weights_loads_while_its_code_is_the_runs(
    tmp_path, monkeypatch
):
    (tmp_path / "my_tied.py").write_text(TIED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    try:
        folder = run(tmp_path, "--image-size=8", "--encoder", "my_tied:Tied")
        assert load_encoder(folder)(torch.rand(2, 1, 8, 8)).shape == (2, 8)
        (tmp_path / "my_tied.py").write_text(TIED.replace("mean", "sum"))
        with pytest.raises(ValueError, match="my_tied:Tied must be the code with which the trial"):
            load_encoder(folder)
    finally:
        sys.modules.pop("my_tied", None)


def test_without_labels_it_says_so_and_torchvision_loads_the_weights(tmp_path, make_folder):
    root = make_folder(tmp_path / "images", count=20)
    loose = tmp_path / "loose"
    loose.mkdir()
    for i, file in enumerate(sorted(root.rglob("*.png"))):
        shutil.copy(file, loose / f"{i}.png")
    folder = run(
        tmp_path,
        "--dataset",
        str(loose),
        "--encoder=resnet18",
        "--stem=imagenet",
        "--batch-norm-splits=2",
    )
    card = (folder / "README.md").read_text()
    assert "None: the images have no labels." in card
    assert "model-index" not in front_matter(card)
    assert front_matter(card)["license"] == "unknown"
    assert features_of(card, folder).shape == (8, 512)
    names = run_code(card, folder)
    model = torchvision.models.resnet18()
    model.fc = torch.nn.Identity()
    model.load_state_dict(torch.load(folder / "encoder.pt"))
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(model.eval()(images), names["model"].eval()(images))


def test_safetensors_are_weights_to_begin_from(tmp_path, config):
    state = build_encoder(config, 3).backbone.state_dict()
    save_file(
        {f"backbone.{name}": value.contiguous() for name, value in state.items()},
        tmp_path / "w.safetensors",
    )
    again = build_encoder(
        replace(config, seed=5, weights=str(tmp_path / "w.safetensors")), 3
    ).backbone
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in state.items())
    assert len(load_file(tmp_path / "w.safetensors")) == len(state)
    (tmp_path / "bad.SafeTensors").write_bytes(b"no")
    with pytest.raises(
        ValueError, match=r"must be a file of safetensors; .*bad\.SafeTensors is not"
    ):
        build_encoder(replace(config, weights=str(tmp_path / "bad.SafeTensors")), 3)
    eight = {
        f"backbone.{name}": value.to(torch.float8_e4m3fn) if value.is_floating_point() else value
        for name, value in state.items()
    }
    save_file(eight, tmp_path / "e.safetensors")
    loaded = build_encoder(replace(config, weights=str(tmp_path / "e.safetensors")), 3).backbone
    assert loaded.conv1.weight.allclose(state["conv1.weight"], rtol=0.1, atol=0.02)


@pytest.mark.parametrize(("share", "n"), [(0.0, 10), (0.5, 7), (0.93, 10_000), (1.0, 300)])
def test_intervals_are_wilsons(share, n):
    expected = binomtest(round(share * n), n).proportion_ci(method="wilson")
    assert wilson_interval(round(share * n) / n, n) == pytest.approx(tuple(expected), abs=1e-6)
