"""Files between machines: what a task reads is brought to nodes that lack it, what a trial leaves is brought back to where it is kept."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.design.trainer import Task

MARKER = ".here"  # a file by which a node sees that the study's folder is the same one there


class Parcel:
    """A file, or a folder of files, as it is on the driver's machine; of a cluster's other nodes each unpacks it once."""

    def __init__(self, path: Path, pack: bool) -> None:
        self.path, self.is_folder = path.resolve(), path.is_dir()
        files = sorted(path.iterdir()) if self.is_folder else [path]
        self.sizes = {file.name: file.stat().st_size for file in files}
        self.refs: dict[str, Any] = {}
        digest = hashlib.sha256()
        for file in files if pack else ():
            content = (
                np.memmap(file, np.uint8, "r") if self.sizes[file.name] else np.empty(0, np.uint8)
            )
            digest.update(content.data)
            self.refs[file.name] = ray.put(content)
        self.key = digest.hexdigest()[
            :16
        ]  # the same content is unpacked once on a node, by whatever study

    def open(self) -> Path:
        """Where it is on this node."""
        if not self.refs or self.is_whole(self.path):
            return self.path
        place = (
            Path(tempfile.gettempdir())
            / f"study-parcels-{os.getuid()}"
            / f"{self.path.name}-{self.key}"
        )
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(place.with_name(f"{place.name}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one process of the node unpacks
            target = place if self.is_folder else place / self.path.name
            if not self.is_whole(target):
                place.mkdir(exist_ok=True)
                for name, ref in self.refs.items():
                    ray.get(ref).tofile(place / name)
        return target

    def is_whole(self, path: Path) -> bool:
        """Whether all of it lies there."""
        files = {name: path / name if self.is_folder else path for name in self.sizes}
        return all(
            file.is_file() and file.stat().st_size == self.sizes[name]
            for name, file in files.items()
        )


class Delivered:
    """A task whose files are wherever it runs."""

    def __init__(self, task: Any, reads: dict[str, Parcel]) -> None:
        self.task, self.reads = task, reads

    def __call__(
        self, config: dict[str, Any], folder: Path
    ) -> Generator[dict[str, Any], None, dict[str, Any]]:
        return self.task(
            config, folder, **{name: parcel.open() for name, parcel in self.reads.items()}
        )


def delivered(task: Any, reads: dict[str, Path], pack: bool) -> Task:
    """The task with what it reads: keyword arguments that are paths."""
    return Delivered(task, {name: Parcel(path, pack) for name, path in reads.items()})


class Shelf:
    """Keeps trials' files in a folder of its node: the study's own where it sees that, else one from which the driver collects them."""

    def __init__(self, folder: str, token: str) -> None:
        self.is_study = sees(Path(folder), token)
        self.folder = Path(folder if self.is_study else tempfile.mkdtemp(prefix="study-shelf-"))

    def keeps_itself(self) -> bool:
        """Whether what is kept lies in the study's folder."""
        return self.is_study

    def fetch(self, trial: str) -> dict[str, bytes]:
        """All files of a trial."""
        return contents(self.folder / trial)

    def take(self, trial: str, files: dict[str, bytes], gone: list[str]) -> None:
        """Keeps these files of a trial, and those no longer."""
        unpack(self.folder / trial, files)
        for name in gone:
            (self.folder / trial / name).unlink(missing_ok=True)


class Files:
    """The folders of a study's trials: the same on every node where they share one, else carried between a node's own disk and `kept`."""

    def __init__(self, folder: Path, token: str, kept: "Kept | None") -> None:
        self.folder, self.token, self.kept = folder, token, kept
        self.sent: dict[str, int] = {}  # time of each file when it was sent

    @property
    def is_here(self) -> bool:
        """Whether this node sees the study's own folder."""
        return self.kept is None or (
            not isinstance(self.kept, KeptAtUrl) and sees(self.folder, self.token)
        )

    @property
    def own(self) -> Path:
        """This node's place for trials whose folder it does not see."""
        return Path(tempfile.gettempdir()) / f"study-trials-{self.token}"

    def open(self, trial: str, writes: bool = True) -> Path:
        """The trial's folder on this node, with what was kept of it."""
        if self.is_here:
            return self.folder / trial
        place = self.own / (trial if writes else f"{trial}-{os.getpid()}")
        if writes and self.kept:
            unpack(place, self.kept.fetch(trial))
            self.sent = times(place)
        return place

    def keep(self, trial: str, place: Path) -> None:
        """Keeps what changed in the folder."""
        if self.kept is None or place == self.folder / trial:
            return
        now = times(place)
        changed = {
            name: (place / name).read_bytes()
            for name, time in now.items()
            if self.sent.get(name) != time
        }
        gone = [name for name in self.sent if name not in now]
        if changed or gone:
            self.kept.take(trial, changed, gone)
        self.sent = now

    def scratch(self, name: str) -> Path:
        """A place for what need not be kept."""
        return (self.folder.parent / ".tune" if self.is_here else self.own) / name


class Kept:
    """Where files are kept that nodes do not share: by an actor, on the driver's node if that is one of the cluster."""

    def __init__(self, shelf: Any) -> None:
        self.shelf = shelf
        self.is_elsewhere = not ray.get(shelf.keeps_itself.remote())

    def fetch(self, trial: str) -> dict[str, bytes]:
        """All files of a trial."""
        return ray.get(self.shelf.fetch.remote(trial))

    def take(self, trial: str, files: dict[str, bytes], gone: list[str]) -> None:
        """Keeps files of a trial, and those no longer that are gone; all is safe when this returns."""
        ray.get(self.shelf.take.remote(trial, files, gone))


class KeptAtUrl(Kept):
    """In an object store, or whatever fsspec reaches from every node."""

    def __init__(self, url: str) -> None:
        self.url, self.is_elsewhere = url.rstrip("/"), False

    def fetch(self, trial: str) -> dict[str, bytes]:
        """All files of a trial."""
        store, root = fsspec.core.url_to_fs(f"{self.url}/{trial}")
        names = store.ls(root, detail=False) if store.exists(root) else []
        return {Path(name).name: store.cat_file(name) for name in names if store.isfile(name)}

    def take(self, trial: str, files: dict[str, bytes], gone: list[str]) -> None:
        """Keeps files of a trial, and those no longer that are gone."""
        store, root = fsspec.core.url_to_fs(f"{self.url}/{trial}")
        store.makedirs(root, exist_ok=True)
        for name, data in files.items():
            store.pipe_file(f"{root}/{name}", data)
        for name in gone:
            if store.exists(f"{root}/{name}"):
                store.rm_file(f"{root}/{name}")


def files_of(folder: Path, address: str, url: str) -> Files:
    """The trials' folders of a study that runs at that address, with --out at a URL or empty."""
    token = os.urandom(8).hex()
    folder.mkdir(parents=True, exist_ok=True)
    if not address and not url:
        return Files(folder, token, None)
    (folder / MARKER).write_text(token)
    if url:
        return Files(folder, token, KeptAtUrl(f"{url.rstrip('/')}/trials"))
    shelf: Any = ray.remote(num_cpus=0)(Shelf)
    if not ray.util.client.ray.is_connected():
        shelf = shelf.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=False
            )
        )
    return Files(folder, token, Kept(shelf.remote(str(folder), token)))


def sees(folder: Path, token: str) -> bool:
    """Whether this node sees the study's folder."""
    marker = folder / MARKER
    return marker.is_file() and marker.read_text() == token


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a trial's folder."""
    return {name: (folder / name).read_bytes() for name in times(folder)}


def times(folder: Path) -> dict[str, int]:
    """When each file of a trial's folder was changed, in nanoseconds; hidden ones are drafts and locks."""
    files = (
        [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
        if folder.is_dir()
        else []
    )
    return {path.name: path.stat().st_mtime_ns for path in files}


def unpack(folder: Path, files: dict[str, bytes]) -> None:
    """Writes files so that no reader sees half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        draft = folder / f".{name}.{os.getpid()}"
        draft.write_bytes(data)
        draft.replace(folder / name)


def forget(files: Files) -> None:
    """Takes the marker away, and this machine's copies."""
    (files.folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(files.own, ignore_errors=True)
