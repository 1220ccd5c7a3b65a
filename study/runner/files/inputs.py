"""A trainer's inputs, files and folders of the driver's machine, brought to nodes without them."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import ray
from filelock import FileLock

from study.design.trainer import Epochs, Fields
from study.execution.run_trial import Train
from study.runner.files.private import own_folder, user_name

CHUNK = 1 << 24  # bytes
SAME_HERE: dict[tuple[Path, str], bool] = {}  # by process: whether a path holds a content


class InputFiles:
    """A file, or a folder of files, on the driver's machine; other nodes unpack it once each.

    Args:
        pack: put the content into Ray's object store, for nodes that do not see the path.
    """

    def __init__(self, path: Path, *, pack: bool) -> None:
        self.path, self.is_folder = path.resolve(), path.is_dir()
        files = sorted(path.iterdir()) if self.is_folder else [path]
        self.sizes = {file.name: file.stat().st_size for file in files}
        self.refs: dict[str, Any] = {}
        digest = hashlib.sha256()
        for file in files if pack else ():
            is_empty = not self.sizes[file.name]
            content = np.empty(0, np.uint8) if is_empty else np.memmap(file, np.uint8, "r")
            digest.update(content.data)
            self.refs[file.name] = ray.put(content)
        # studies with the same content share what a node unpacked
        self.key = digest.hexdigest()[:16]

    def local_path(self) -> Path:
        """The path of the content on this node, unpacked if it is not there yet."""
        if not self.refs or self.is_here():
            return self.path
        folder = own_folder(Path(tempfile.gettempdir()) / f"study-parcels-{user_name()}")
        place = folder / f"{self.path.name}-{self.key}"
        target = place if self.is_folder else place / self.path.name
        with FileLock(f"{place}.lock"):  # one process of the node unpacks
            if not self.is_whole(target):
                place.mkdir(exist_ok=True)
                for name, ref in self.refs.items():
                    ray.get(ref).tofile(place / name)
        return target

    def is_here(self) -> bool:
        """Whether this node has the driver's content at the driver's path; looked at once."""
        asked = (self.path, self.key)
        if asked not in SAME_HERE:
            SAME_HERE[asked] = self.is_whole(self.path) and self.digest_here() == self.key
        return SAME_HERE[asked]

    def digest_here(self) -> str:
        """The digest of what lies at the driver's path on this node."""
        digest = hashlib.sha256()
        for name in self.sizes:
            with open(self.path / name if self.is_folder else self.path, "rb") as file:
                while part := file.read(CHUNK):
                    digest.update(part)
        return digest.hexdigest()[:16]

    def is_whole(self, path: Path) -> bool:
        """Whether every file is there in its size."""
        files = {name: path / name if self.is_folder else path for name in self.sizes}
        return all(
            file.is_file() and file.stat().st_size == self.sizes[name]
            for name, file in files.items()
        )


class TrainWithInputs:
    """A `train` function with its inputs filled in, wherever it runs."""

    def __init__(self, train: Any, inputs: dict[str, InputFiles]) -> None:
        self.train, self.inputs = train, inputs

    def __call__(self, config: Fields, folder: Path) -> Epochs:
        paths = {name: files.local_path() for name, files in self.inputs.items()}
        return self.train(config, folder, **paths)


def with_inputs(train: Any, inputs: dict[str, Path], *, pack: bool) -> Train:
    """The `train` function with its inputs, which are keyword arguments."""
    return TrainWithInputs(
        train, {name: InputFiles(path, pack=pack) for name, path in inputs.items()}
    )
