"""Weights from elsewhere fill the whole backbone or are refused; ours load elsewhere."""

from dataclasses import replace

import pytest
import torch
import torchvision

from moco.model.encoder import build_encoder
from moco.model.weights import file_sha256, load_backbone, read_tensors


@pytest.fixture
def config(config):
    return replace(config, width=1.0, stem="imagenet", image_size=32)


@pytest.fixture
def theirs():
    torch.manual_seed(5)
    return torchvision.models.resnet18(weights=None).state_dict()


def prefixed(state, prefix, head="fc."):
    return {
        prefix + name: tensor for name, tensor in state.items() if not name.startswith("fc.")
    } | {prefix + head + "weight": torch.zeros(1)}


def numbered(state, prefix, layers, shortcut=False):
    """The state in lightly's layout: the modules of a ResNet by index."""
    places = {
        "conv1": "0",
        "bn1": "1",
        **{f"layer{i + 1}": number for i, number in enumerate(layers)},
    }
    found = {}
    for name, tensor in state.items():
        first, _, rest = name.partition(".")
        if first in places:
            rest = rest.replace("downsample", "shortcut") if shortcut else rest
            found[f"{prefix}{places[first]}.{rest}"] = tensor
    return found


LAYOUTS = {
    "torchvision": lambda s: s,
    "FAIR's MoCo v1": lambda s: {
        "epoch": 200,
        "arch": "resnet50",
        "state_dict": prefixed(s, "module.encoder_q.", "fc.") | prefixed(s, "module.encoder_k."),
    },
    "FAIR's MoCo v2": lambda s: {
        "state_dict": prefixed(s, "module.encoder_q.", "fc.0.")
        | {"module.queue": torch.zeros(2, 2)}
    },
    "FAIR's, unprefixed": lambda s: {"state_dict": prefixed(s, "encoder_q.", "fc.2.")},
    "MoCo v3": lambda s: {
        "state_dict": prefixed(s, "module.momentum_encoder.", "fc.")
        | prefixed(s, "module.base_encoder.", "fc.")
    },
    "solo-learn": lambda s: {
        "state_dict": prefixed(s, "backbone.", "fc.")
        | {"momentum_backbone.conv1.weight": torch.zeros(1)}
    },
    "solo-learn before 1.0": lambda s: {"state_dict": prefixed(s, "encoder.", "fc.")},
    "lightly, torchvision's modules": lambda s: {"state_dict": numbered(s, "backbone.", "4567")},
    "lightly, its own ResNet": lambda s: {
        "state_dict": numbered(s, "backbone.", "2345", shortcut=True)
    },
    "ours, trained on labels": lambda s: {"state": {"model": prefixed(s, "encoder.backbone.")}},
    "mmselfsup": lambda s: {"state_dict": prefixed(s, "encoder_q.0.")},
    "a compiled model": lambda s: prefixed(s, "_orig_mod."),
    "a DataParallel model": lambda s: {"model": prefixed(s, "module.")},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_fills_every_tensor_of_the_backbone(config, theirs, tmp_path, layout):
    file = tmp_path / "weights.pth"
    torch.save(LAYOUTS[layout](theirs), file)
    backbone = build_encoder(config, 3).backbone
    load_backbone(backbone, file)
    for name, tensor in backbone.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, theirs[name]), name


def test_our_encoder_loads_into_torchvision_and_comes_back(config, theirs, tmp_path):
    file = tmp_path / "encoder.pt"
    encoder = build_encoder(config, 3)
    torch.save(encoder.backbone.state_dict(), file)
    model = torchvision.models.resnet18()
    model.fc = torch.nn.Identity()
    model.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.eval()(x), encoder.backbone.eval()(x))
    again = build_encoder(
        replace(config, weights=str(file), weights_sha256=file_sha256(file), seed=7), 3
    )
    torch.testing.assert_close(again.backbone.eval()(x), encoder.backbone(x))


def test_the_query_encoder_is_taken_from_our_own_checkpoint(config, theirs, tmp_path):
    state = {
        f"query_encoder.backbone.{name}": tensor
        for name, tensor in theirs.items()
        if not name.startswith("fc.")
    }
    torch.save(
        {
            "curve": [],
            "state": {
                "model": state | {"key_encoder.backbone.conv1.weight": torch.zeros(1)},
                "epoch": 3,
            },
        },
        tmp_path / "checkpoint.pt",
    )
    assert (
        load_backbone(build_encoder(config, 3).backbone, tmp_path / "checkpoint.pt")
        == "query_encoder.backbone."
    )


@pytest.mark.parametrize(
    ("changes", "spoil", "sentence"),
    [
        (
            {"stem": "small"},
            lambda s: s,
            r"1 have another shape \(conv1\.weight is \(64, 3, 7, 7\), "
            r"the encoder's \(64, 3, 3, 3\)\)\. Another stem, perhaps",
        ),
        (
            {"encoder": "resnet34"},
            lambda s: s,
            r"of 180 are missing \(layer1\.2\.conv1\.weight, .* \.\.\)\. "
            r"Set encoder, width and stem",
        ),
        ({"width": 0.5}, lambda s: s, "have another shape"),
        (
            {},
            lambda s: {k: v for k, v in s.items() if k != "bn1.running_mean"},
            r"1 of 100 are missing \(bn1\.running_mean\)",
        ),
        (
            {},
            lambda s: {**s, "bn1.weight": s["bn1.weight"] * torch.nan},
            r"must be finite real numbers; bn1\.weight of",
        ),
        (
            {},
            lambda s: {**s, "bn1.weight": s["bn1.weight"].to(torch.complex64)},
            "must be finite real numbers",
        ),
        (
            {},
            lambda s: {**s, "bn1.weight": s["bn1.weight"].double() + 1e300},
            r"must be finite real numbers; bn1\.weight of .* is not, as torch\.float32",
        ),
        ({}, lambda s: {1: s["bn1.weight"]}, "must hold tensors by name"),
        ({}, lambda s: {"epoch": 3}, "must hold tensors by name"),
        ({}, lambda s: [1, 2], "must hold tensors by name"),
        ({}, lambda s: {"state_dict": s, "code": print}, "without running code from it"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_what_does_not(
    config, theirs, tmp_path, changes, spoil, sentence
):
    file = tmp_path / "weights.pth"
    torch.save(spoil(theirs), file)
    before = build_encoder(replace(config, **changes), 3)
    with pytest.raises(ValueError, match=sentence):
        load_backbone(before.backbone, file)


def test_no_file_half_a_file_and_another_file_are_refused(config, tmp_path):
    backbone = build_encoder(config, 3).backbone
    with pytest.raises(
        ValueError,
        match=r"weights must name a file; .*none\.pth cannot be read \(No such file or directory\)",
    ):
        load_backbone(backbone, tmp_path / "none.pth")
    torch.save(backbone.state_dict(), tmp_path / "whole.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"half\.pth is not"):
        read_tensors(tmp_path / "half.pth")
    with pytest.raises(ValueError, match="weights must have the SHA-256 000000000000"):
        load_backbone(backbone, tmp_path / "whole.pth", "0" * 64)
