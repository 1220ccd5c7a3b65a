"""Weights that others published: where each file comes from, its checksum, and where it is kept once it is here."""

import hashlib
import os
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from torchvision.models import get_model_weights

from moco.config import Config
from moco.model.weights import digest

GIVEN = "given"  # as a config's weights: a file that the command names, told by its SHA-256 alone, so that it may move
FAIR = "https://dl.fbaipublicfiles.com/moco/moco_checkpoints"
PATIENCE = 20.0  # seconds without a byte


class Weights(NamedTuple):
    """One published file."""

    title: str
    url: str
    algorithm: str  # of the checksum: md5 or sha256
    checksum: str  # its first hexadecimal digits, as the publisher prints them

    @property
    def file(self) -> str:
        """Its name."""
        return self.url.rpartition("/")[2]


def fair(title: str, name: str, checksum: str) -> Callable[[str], Weights]:
    """A ResNet-50 of FAIR's repository of MoCo, whose table of models prints the checksum; pretrained on ImageNet."""
    return lambda encoder: Weights(title, f"{FAIR}/{name}/{name}_pretrain.pth.tar", "md5", checksum)


def torchvisions(encoder: str) -> Weights:
    """torchvision's own for that encoder, trained on ImageNet's labels; the checksum stands in the file's name."""
    url = get_model_weights(encoder)["IMAGENET1K_V1"].url
    return Weights(
        f"torchvision's {encoder}, ImageNet labels",
        url,
        "sha256",
        url.rpartition("-")[2].removesuffix(".pth"),
    )


WEIGHTS = {  # by name: the file for an encoder
    "fair-moco-v1": fair("FAIR's MoCo v1, 200 epochs", "moco_v1_200ep", "b251726a"),
    "fair-moco-v2": fair("FAIR's MoCo v2, 800 epochs", "moco_v2_800ep", "a04e12f8"),
    "fair-moco-v2-200": fair("FAIR's MoCo v2, 200 epochs", "moco_v2_200ep", "59fd9945"),
    "torchvision": torchvisions,
}


class WeightsAbsent(ValueError):
    """Published weights are not on this machine, and were not or could not be downloaded."""


def find(name: str, encoder: str, data_dir: Path, download: bool) -> Path:
    """The file of a name of WEIGHTS, below data_dir / "weights", downloaded once if that is wished; any other name is a path already.

    Raises:
        WeightsAbsent: it is not there and cannot be had, or it is not the published file.
        ValueError: the path leads nowhere, or no file was given.
    """
    if name == GIVEN:
        raise ValueError(f"weights {GIVEN!r} stand for a file that --weights names; none was named")
    if name not in WEIGHTS:
        if not Path(name).exists():
            raise ValueError(
                f"weights must be one of {', '.join(WEIGHTS)}, or a file; {name!r} is neither"
            )
        return Path(name)
    row = WEIGHTS[name](encoder)
    path = data_dir / "weights" / row.file
    how = f"put {row.file} from {row.url} ({row.algorithm} {row.checksum}...) into {path.parent}"
    if path.is_dir():
        raise WeightsAbsent(
            f"{path} must be the published file; it is a folder: remove it and {how}"
        )
    if not path.exists():
        if not download:
            raise WeightsAbsent(
                f"{name} is not on this machine; {how}, or give --weights {name} where there is a network"
            )
        try:
            fetch(row, path)
        except OSError as error:
            raise WeightsAbsent(
                f"{name} is not on this machine and could not be downloaded ({error}); {how}"
            ) from None
    if not checksum_of(path, row.algorithm).startswith(row.checksum):
        raise WeightsAbsent(
            f"{path} must have the {row.algorithm} {row.checksum}..., as published; it has another: remove it and {how}"
        )
    return path


def fetch(row: Weights, path: Path) -> None:
    """Downloads the file; it gets its name when it is whole and its checksum right.

    Raises:
        OSError: there is no network, no room, or what came is another file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    print(f"Downloading {row.title}: {row.url}", flush=True)
    try:
        with urllib.request.urlopen(row.url, timeout=PATIENCE) as source, open(draft, "wb") as file:
            while part := source.read(1 << 20):
                file.write(part)
        if not checksum_of(draft, row.algorithm).startswith(row.checksum):
            raise OSError(f"what came has not the {row.algorithm} {row.checksum}...")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def checksum_of(path: Path, algorithm: str) -> str:
    """Hexadecimal digits of a file's checksum."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def key(sha256: str) -> str:
    """A short name for a file of weights, fit for a keyword argument."""
    return f"weights_{sha256[:12]}"


def files_of(configs: Iterable[Config], given: str, data_dir: Path) -> dict[str, Path]:
    """The files of weights that trials begin from, as `moco.trial.run` takes them, downloaded where need be.

    A published file that cannot be had is said and left out: the trial then fails alone.

    Raises:
        ValueError: `given` is not the file from which trials begin, or is empty.
    """
    found: dict[str, Path] = {}
    for name, encoder, sha256 in sorted(
        {(config.weights, config.encoder, config.weights_sha256) for config in configs}
    ):
        if name == GIVEN:
            found[key(sha256)] = given_file(given, sha256)
        elif name in WEIGHTS:
            try:
                found[key(sha256)] = find(name, encoder, data_dir, download=True)
            except WeightsAbsent as absence:
                print(absence, flush=True)
    return found


def given_file(given: str, sha256: str) -> Path:
    """The file that was given, where it is the one of that SHA-256.

    Raises:
        ValueError: it is another, or none.
    """
    if not given:
        told = "none was named"
    elif not Path(given).is_file():
        told = f"{given} is none"
    elif digest(Path(given)) != sha256:
        told = f"{given} is another"
    else:
        return Path(given)
    raise ValueError(
        f"--weights must name the file from which trials begin, with the SHA-256 {sha256[:12]}…; {told}"
    )


def placed(config: Config, files: dict[str, Path]) -> Config:
    """The config with its weights where they are on this machine; as it is where no file of that SHA-256 is named."""
    place: Any = files.get(key(config.weights_sha256)) if config.weights else None
    return replace(config, weights=str(place)) if place else config
