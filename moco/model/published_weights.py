"""Published weights: the source of each file, its checksum, and its place on this machine."""

import hashlib
import os
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torchvision
from torchvision.models import get_model_weights, list_models

from moco.config import Config
from moco.model.weights import file_sha256

# `weights` of a config that begins from a file named on the command line; the file is identified by
# its SHA-256 alone, so that it may be moved
GIVEN = "given"
FAIR_URL = "https://dl.fbaipublicfiles.com/moco/moco_checkpoints"
TIMEOUT = 20.0  # seconds without a byte


class PublishedWeights(NamedTuple):
    """One published file."""

    title: str  # for people
    url: str
    algorithm: str  # of the checksum: md5 or sha256
    checksum: str  # its first hexadecimal digits, as published

    @property
    def file_name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]


def fair_resnet50(title: str, name: str, checksum: str) -> Callable[[str], PublishedWeights]:
    """A ResNet-50 of FAIR's MoCo repository, pretrained on ImageNet.

    The repository's table of models lists the checksums.
    """
    url = f"{FAIR_URL}/{name}/{name}_pretrain.pth.tar"
    return lambda encoder: PublishedWeights(
        title=title, url=url, algorithm="md5", checksum=checksum
    )


def torchvision_weights(encoder: str) -> PublishedWeights:
    """torchvision's weights of an encoder, trained on ImageNet's labels.

    The checksum is a part of the file name.

    Raises:
        ValueError: torchvision has none.
    """
    if encoder not in list_models(torchvision.models):
        raise ValueError(f"torchvision has no weights of {encoder}; try encoder=resnet18, width=1")
    url = get_model_weights(encoder)["IMAGENET1K_V1"].url
    return PublishedWeights(
        title=f"torchvision's {encoder}, ImageNet labels",
        url=url,
        algorithm="sha256",
        checksum=url.rpartition("-")[2].removesuffix(".pth"),
    )


WEIGHTS = {  # functions from the name of an encoder to its file
    "fair-moco-v1": fair_resnet50("FAIR's MoCo v1, 200 epochs", "moco_v1_200ep", "b251726a"),
    "fair-moco-v2": fair_resnet50("FAIR's MoCo v2, 800 epochs", "moco_v2_800ep", "a04e12f8"),
    "fair-moco-v2-200": fair_resnet50("FAIR's MoCo v2, 200 epochs", "moco_v2_200ep", "59fd9945"),
    "torchvision": torchvision_weights,
}


class WeightsNotFoundError(ValueError):
    """Published weights are not on this machine, and no download was requested or possible."""


def find_weights(name: str, encoder: str, data_dir: Path, download: bool) -> Path:
    """The path of a file of weights.

    Args:
        name: a name of WEIGHTS, whose files are in data_dir / "weights"; or a path.
        encoder: a name of ENCODERS.
        data_dir: holds downloads.
        download: whether to download a published file that is absent.

    Raises:
        WeightsNotFoundError: the published file is absent or has another checksum.
        ValueError: the path does not exist, or the name is GIVEN, which names no file.
    """
    if name == GIVEN:
        raise ValueError(f"weights {GIVEN!r} stand for a file that --weights names; none was named")
    if name not in WEIGHTS:
        if not Path(name).exists():
            raise ValueError(
                f"weights must be one of {', '.join(WEIGHTS)}, or a file; {name!r} is neither"
            )
        return Path(name)
    published = WEIGHTS[name](encoder)
    path = data_dir / "weights" / published.file_name
    checksum = f"{published.algorithm} {published.checksum}..."
    remedy = f"put {published.file_name} from {published.url} ({checksum}) into {path.parent}"
    if path.is_dir():
        raise WeightsNotFoundError(
            f"{path} must be the published file; it is a folder: remove it and {remedy}"
        )
    if not path.exists():
        if not download:
            raise WeightsNotFoundError(
                f"{name} is not on this machine; {remedy}, "
                f"or give --weights {name} where there is a network"
            )
        try:
            download_file(published, path)
        except OSError as error:
            raise WeightsNotFoundError(
                f"{name} is not on this machine and could not be downloaded ({error}); {remedy}"
            ) from None
    if not file_checksum(path, published.algorithm).startswith(published.checksum):
        raise WeightsNotFoundError(
            f"{path} must have the {checksum}, as published; it has another: remove it and {remedy}"
        )
    return path


def download_file(published: PublishedWeights, path: Path) -> None:
    """Download a file; it gets its final name once it is complete and its checksum is right.

    Raises:
        OSError: no network, no space, or the received file has another checksum.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    print(f"Downloading {published.title}: {published.url}", flush=True)
    try:
        with (
            urllib.request.urlopen(published.url, timeout=TIMEOUT) as source,
            open(draft, "wb") as file,
        ):
            while part := source.read(1 << 20):
                file.write(part)
        if not file_checksum(draft, published.algorithm).startswith(published.checksum):
            raise OSError(f"what came has not the {published.algorithm} {published.checksum}...")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def file_checksum(path: Path, algorithm: str) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def weights_key(sha256: str) -> str:
    """A short name of a file of weights that is valid as the name of a keyword argument."""
    return f"weights_{sha256[:12]}"


def check_given_file(given: str, sha256: str) -> Path:
    """The path of the given file, whose SHA-256 must be this one.

    Raises:
        ValueError: no file is given, or it is absent or another.
    """
    if not given:
        problem = "none was named"
    elif not Path(given).is_file():
        problem = f"{given} is none"
    elif file_sha256(Path(given)) != sha256:
        problem = f"{given} is another"
    else:
        return Path(given)
    raise ValueError(
        "--weights must name the file from which trials begin, "
        f"with the SHA-256 {sha256[:12]}…; {problem}"
    )


def with_local_weights(config: Config, files: dict[str, Path]) -> Config:
    """The config with the local path of its weights; unchanged if `files` has none for it.

    Args:
        files: by weights_key.
    """
    path = files.get(weights_key(config.weights_sha256)) if config.weights else None
    return replace(config, weights=str(path)) if path else config
