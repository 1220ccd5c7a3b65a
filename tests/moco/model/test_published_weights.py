"""Published weights: FAIR's layouts load completely or are refused; files are downloaded once."""

import hashlib
from dataclasses import replace

import pytest
import torch
import torchvision

from moco.config import Config
from moco.data.cache import prepare
from moco.model import published_weights
from moco.model.encoder import Encoder, build_encoder
from moco.model.features import extract_features
from moco.model.published_weights import (
    WEIGHTS,
    PublishedWeights,
    WeightsNotFoundError,
    find_weights,
)
from moco.model.weights import file_sha256, load_backbone
from moco.trainer import availability

RESNET50 = {
    "encoder": "resnet50",
    "stem": "imagenet",
    "width": 1.0,
    "method": "frozen",
    "image_size": 32,
    "batch_norm": "plain",
}


def fair_checkpoint(version):
    """A file in FAIR's layout: epoch, arch, and the query encoder of eight GPUs with its head."""
    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None, num_classes=128)
    if version == "v2":
        model.fc = torch.nn.Sequential(torch.nn.Linear(2048, 2048), torch.nn.ReLU(), model.fc)
    state = {f"module.encoder_q.{name}": tensor for name, tensor in model.state_dict().items()}
    return model, {"epoch": 200, "arch": "resnet50", "state_dict": state}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_fairs_checkpoints_fill_every_tensor_and_give_their_features(
    config, dataset, tmp_path, version
):
    model, content = fair_checkpoint(version)
    heads = {name for name in content["state_dict"] if ".fc." in name}
    assert len(heads) == (2 if version == "v1" else 4)
    weight = content["state_dict"]["module.encoder_q.layer4.2.conv3.weight"]
    assert weight.shape == (2048, 512, 1, 1)
    torch.save(content, tmp_path / "fair.pth.tar")
    config = replace(
        config,
        **RESNET50,
        weights=str(tmp_path / "fair.pth.tar"),
        weights_sha256=file_sha256(tmp_path / "fair.pth.tar"),
    )
    encoder = build_encoder(config, 3)
    ours = encoder.backbone.state_dict()
    assert len(ours) == len(content["state_dict"]) - len(heads)
    for name, tensor in ours.items():
        assert torch.equal(tensor, content["state_dict"][f"module.encoder_q.{name}"]), name
    few = dataset.test._replace(images=dataset.test.images[:4], labels=dataset.test.labels[:4])
    features = extract_features(encoder, few, dataset, config=config).features_ND
    model.fc = torch.nn.Identity()
    mean, std = (torch.tensor(x)[:, None, None] for x in (dataset.mean, dataset.std))
    pixels = (few.images.float() / 255 - mean) / std
    with torch.no_grad():
        torch.testing.assert_close(features, model.eval()(pixels), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("spoil", ["missing", "reshaped"])
def test_a_missing_or_reshaped_tensor_is_refused_by_name(config, tmp_path, version, spoil):
    _, content = fair_checkpoint(version)
    name = "module.encoder_q.layer3.4.conv2.weight"
    if spoil == "missing":
        del content["state_dict"][name]
    else:
        content["state_dict"][name] = content["state_dict"][name][:, :128]
    torch.save(content, tmp_path / "fair.pth.tar")
    message = (
        r"1 of 265 are missing \(layer3.4.conv2.weight\)"
        if spoil == "missing"
        else r"1 have another shape \(layer3.4.conv2.weight is \(256, 128, 3, 3\)"
    )
    with pytest.raises(ValueError, match=message):
        load_backbone(Encoder(replace(config, **RESNET50), 3).backbone, tmp_path / "fair.pth.tar")


def test_the_names_are_those_of_the_publishers():
    for name, checksum, file in (
        ("fair-moco-v1", "b251726a", "moco_v1_200ep_pretrain.pth.tar"),
        ("fair-moco-v2", "a04e12f8", "moco_v2_800ep_pretrain.pth.tar"),
    ):
        row = WEIGHTS[name]("resnet50")
        assert (row.file_name, row.algorithm, row.checksum) == (file, "md5", checksum)
    row = WEIGHTS["torchvision"]("resnet50")
    assert row.file_name == "resnet50-0676ba61.pth"
    assert (row.algorithm, row.checksum) == ("sha256", "0676ba61")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file of weights at an address, under the name `made`."""
    source = tmp_path / "elsewhere" / "made.pth"
    source.parent.mkdir()
    source.write_bytes(b"weights")
    row = PublishedWeights(
        title="made weights",
        url=source.as_uri(),
        algorithm="md5",
        checksum=hashlib.md5(b"weights").hexdigest()[:8],
    )
    monkeypatch.setitem(WEIGHTS, "made", lambda encoder: row)
    return source


def test_they_are_downloaded_once(published, tmp_path):
    path = find_weights("made", "resnet18", tmp_path, download=True)
    assert path == tmp_path / "weights" / "made.pth"
    published.unlink()
    assert find_weights("made", "resnet18", tmp_path, download=True).read_bytes() == b"weights"
    assert find_weights("made", "resnet18", tmp_path, download=False) == path


def test_without_a_download_a_sentence_names_file_url_and_folder(published, tmp_path):
    message = (
        r"made is not on this machine; put made.pth from file:.*/elsewhere/made.pth "
        rf"\(md5 .*\.\.\.\) into {tmp_path}/weights"
    )
    with pytest.raises(WeightsNotFoundError, match=message):
        find_weights("made", "resnet18", tmp_path, download=False)
    published.unlink()
    with pytest.raises(
        WeightsNotFoundError,
        match=r"made is not on this machine and could not be downloaded .*; put made.pth from",
    ):
        find_weights("made", "resnet18", tmp_path, download=True)
    assert not list((tmp_path / "weights").iterdir())


@pytest.mark.parametrize("place", ["there", "here"])
def test_another_file_is_never_taken_for_them(published, tmp_path, place):
    if place == "there":
        published.write_bytes(b"half of it")
    else:
        (tmp_path / "weights").mkdir()
        (tmp_path / "weights" / "made.pth").write_bytes(b"half of it")
    with pytest.raises(WeightsNotFoundError, match=r"has not the md5|must have the md5"):
        find_weights("made", "resnet18", tmp_path, download=True)
    assert place == "here" or not list((tmp_path / "weights").iterdir())


def test_a_path_is_taken_as_it_is(tmp_path):
    (tmp_path / "file.pt").touch()
    assert (
        find_weights(str(tmp_path / "file.pt"), "resnet18", tmp_path, download=True)
        == tmp_path / "file.pt"
    )
    with pytest.raises(
        ValueError,
        match=r"weights must be one of fair-moco-v1, .*, or a file; 'torchvison' is neither",
    ):
        find_weights("torchvison", "resnet18", tmp_path, download=True)


def test_a_folder_in_the_place_of_a_published_file_is_refused(tmp_path):
    (tmp_path / "weights" / "moco_v2_800ep_pretrain.pth.tar").mkdir(parents=True)
    with pytest.raises(
        WeightsNotFoundError,
        match="must be the published file; it is a folder: remove it and put moco_v2_800ep",
    ):
        find_weights("fair-moco-v2", "resnet50", tmp_path, download=True)


WISH = {"image_size": 8, "width": 0.0625, "batch_size": 16, "batch_norm_splits": 2}


def survey(tmp_path, arms, dataset="digits", given=""):
    return availability.survey(
        WISH, arms, prepare(dataset, 16, tmp_path), tmp_path, download=(), given=given
    )


@pytest.mark.parametrize(
    ("dataset", "values", "reason"),
    [
        (
            "shapes",
            {"weights": "fair-moco-v1", "encoder": "resnet50"},
            "weights absent: fair-moco-v1 is not on this machine; put moco_v1",
        ),
        (
            "digits",
            {"weights": "fair-moco-v1"},
            "published weights take colour images; those of scikit-learn's digits are grey",
        ),
        ("shapes", {"weights": "given"}, "no file was given with --weights"),
        (
            "shapes",
            {"pretrain_split": "train+unlabelled"},
            "made-up shapes has no split unlabelled",
        ),
        (
            "digits",
            {"normalisation": "imagenet"},
            "normalisation imagenet needs images of three channels",
        ),
    ],
)
def test_what_an_arm_lacks_is_reported_and_the_others_are_run(tmp_path, dataset, values, reason):
    found = survey(tmp_path, {"plain": {}, "other": values}, dataset)
    assert list(found.absent) == ["other"]
    assert found.absent["other"].startswith(reason)
    assert not found.fields


def test_the_weights_of_an_arm_are_identified_by_their_content(tmp_path):
    torch.save(
        Encoder(Config.of({**WISH, "dataset": "shapes"}), 3).backbone.state_dict(),
        tmp_path / "w.pt",
    )
    found = survey(tmp_path, {"plain": {}, "other": {"weights": str(tmp_path / "w.pt")}}, "shapes")
    sha256 = file_sha256(tmp_path / "w.pt")
    assert found.fields == {"other": {"weights_sha256": sha256}}
    assert found.files == {f"weights_{sha256[:12]}": tmp_path / "w.pt"}
    config = published_weights.with_local_weights(
        Config.of({**WISH, "weights": "elsewhere", "weights_sha256": sha256}), found.files
    )
    assert config.weights == str(tmp_path / "w.pt")


def test_a_given_file_serves_the_arm_that_takes_it(tmp_path):
    torch.save(
        Encoder(Config.of({**WISH, "dataset": "shapes"}), 3).backbone.state_dict(),
        tmp_path / "w.pt",
    )
    found = survey(
        tmp_path,
        {"plain": {}, "taker": {"weights": "given"}},
        "shapes",
        given=str(tmp_path / "w.pt"),
    )
    assert list(found.fields) == ["taker"]
    config = published_weights.with_local_weights(
        Config.of({**WISH, "weights": "given", **found.fields["taker"]}), found.files
    )
    assert config.weights == str(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"pictures": 8, "attention": "layer1"}, False),
        ({"attention": "layer1"}, {"pictures": 8, "attention": "layer1"}, True),
        ({}, {"input_size": 8}, True),
        ({}, {"input_size": 16}, False),
        ({"batch_norm": "plain"}, {"batch_norm": "split", "batch_norm_splits": 1}, True),
        ({"batch_norm": "plain"}, {"batch_norm": "split"}, False),
        ({"batch_norm": "plain"}, {"batch_norm": "sync"}, False),
        ({}, {"attention_score": "uniform"}, True),
        ({"optimizer": "adam"}, {"optimizer": "adamw"}, False),
        (
            {"optimizer": "adam", "weight_decay": 0.0},
            {"optimizer": "adamw", "weight_decay": 0.0},
            True,
        ),
    ],
)
def test_trials_with_the_same_canonical_config_are_one_trial(one, other, same):
    assert (
        availability.canonical_config({**WISH, **one})
        == availability.canonical_config({**WISH, **other})
    ) == same


@pytest.mark.parametrize(
    ("kind", "workers", "splits", "reason"),
    [
        (
            "sync",
            1,
            2,
            "synchronised batch norm over one worker is plain batch norm; give --workers 2",
        ),
        (
            "split",
            2,
            2,
            "as many groups as workers are plain batch norm; set more batch_norm_splits",
        ),
        ("sync", 2, 2, ""),
        ("split", 2, 4, ""),
        ("shuffle", 2, 2, ""),
    ],
)
def test_a_kind_of_batch_norm_that_is_plain_over_these_workers_is_no_arm_of_its_own(
    kind, workers, splits, reason
):
    config = Config.of({**WISH, "batch_norm": kind, "batch_norm_splits": splits})
    assert availability.equal_to_plain(config, workers) == reason
