"""The files that trials leave: where they are, and how they come back to the study's folder."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import fsspec
import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.runner.ray_patches import is_ray_client
from study.store.directory import scratch_folder

# a file by which a node sees that the study's folder is the same one there
MARKER = ".here"
CLEANING_SECONDS = 10  # that nodes may take to delete copies


class FileStore(Protocol):
    """Keeps the files of trials that nodes do not share."""

    def fetch(self, trial: str) -> dict[str, bytes]:
        """All files of a trial."""

    def save(self, trial: str, files: dict[str, bytes], deleted: list[str]) -> None:
        """Keep files of a trial and drop the deleted ones; all is safe when this returns."""


class FileStoreActor:
    """An actor that keeps trials' files on its node.

    They lie in the study's folder where the node sees that, else in a temporary one, from which
    the driver collects them.
    """

    def __init__(self, folder: str, token: str) -> None:
        self.is_study_folder = sees_folder(Path(folder), token)
        place = folder if self.is_study_folder else tempfile.mkdtemp(prefix="study-shelf-")
        self.folder = Path(place)

    def uses_study_folder(self) -> bool:
        """Whether the files lie in the study's folder."""
        return self.is_study_folder

    def fetch(self, trial: str) -> dict[str, bytes]:
        """All files of a trial."""
        return read_files(self.folder / trial)

    def save(self, trial: str, files: dict[str, bytes], deleted: list[str]) -> None:
        """Keep files of a trial and drop the deleted ones."""
        write_files(self.folder / trial, files)
        for name in deleted:
            (self.folder / trial / name).unlink(missing_ok=True)


class ActorStore:
    """Files kept by an actor, on the driver's node if that is one of the cluster."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.needs_collection = not ray.get(actor.uses_study_folder.remote())

    def fetch(self, trial: str) -> dict[str, bytes]:
        """All files of a trial."""
        return ray.get(self.actor.fetch.remote(trial))

    def save(self, trial: str, files: dict[str, bytes], deleted: list[str]) -> None:
        """Keep files of a trial and drop the deleted ones."""
        ray.get(self.actor.save.remote(trial, files, deleted))


class UrlStore:
    """Files kept in an object store, or whatever fsspec reaches from every node."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def fetch(self, trial: str) -> dict[str, bytes]:
        """All files of a trial."""
        store, root = fsspec.core.url_to_fs(f"{self.url}/{trial}")
        names = store.ls(root, detail=False) if store.exists(root) else []
        return {Path(name).name: store.cat_file(name) for name in names if store.isfile(name)}

    def save(self, trial: str, files: dict[str, bytes], deleted: list[str]) -> None:
        """Keep files of a trial and drop the deleted ones."""
        store, root = fsspec.core.url_to_fs(f"{self.url}/{trial}")
        store.makedirs(root, exist_ok=True)
        for name, data in files.items():
            store.pipe_file(f"{root}/{name}", data)
        for name in deleted:
            if store.exists(f"{root}/{name}"):
                store.rm_file(f"{root}/{name}")


class TrialFiles:
    """The folders of a study's trials.

    Where all nodes share one they are in it; else they are copied between a node's own disk and
    a store.
    """

    def __init__(self, folder: Path, token: str, store: FileStore | None) -> None:
        self.folder, self.token, self.store = folder, token, store
        self.saved_times: dict[str, int] = {}  # when each file was changed that the store has

    @property
    def is_shared(self) -> bool:
        """Whether this node works in the study's own folder."""
        if self.store is None:
            return True
        return not isinstance(self.store, UrlStore) and sees_folder(self.folder, self.token)

    @property
    def node_folder(self) -> Path:
        """This node's folder for trials whose own folder it does not see."""
        return Path(tempfile.gettempdir()) / f"study-trials-{self.token}"

    def open_folder(self, trial: str, *, writes: bool = True) -> Path:
        """The trial's folder on this node, with what the store has of it."""
        if self.is_shared:
            return self.folder / trial
        folder = self.node_folder / (trial if writes else f"{trial}-{os.getpid()}")
        if writes and self.store:
            write_files(folder, self.store.fetch(trial))
            self.saved_times = modification_times(folder)
        return folder

    def save(self, trial: str, folder: Path) -> None:
        """Send what changed in the folder to the store."""
        if self.store is None or folder == self.folder / trial:
            return
        times, saved = modification_times(folder), self.saved_times
        changed = [name for name, time in times.items() if saved.get(name) != time]
        deleted = [name for name in saved if name not in times]
        if changed or deleted:
            files = {name: (folder / name).read_bytes() for name in changed}
            self.store.save(trial, files, deleted)
        self.saved_times = times

    def scratch_folder(self, name: str) -> Path:
        """A folder for what need not be kept."""
        place = scratch_folder(self.folder.parent) if self.is_shared else self.node_folder
        return place / name


def open_trial_files(folder: Path, *, address: str, url: str) -> TrialFiles:
    """The trials' folders of a study.

    Args:
        address: of the cluster; empty: this machine.
        url: of the study's folder; empty: it is on this machine.
    """
    token = os.urandom(8).hex()
    folder.mkdir(parents=True, exist_ok=True)
    if not address and not url:
        return TrialFiles(folder, token, None)
    (folder / MARKER).write_text(token)
    if url:
        return TrialFiles(folder, token, UrlStore(f"{url.rstrip('/')}/trials"))
    actor: Any = ray.remote(num_cpus=0)(FileStoreActor)
    if not is_ray_client():
        node = ray.get_runtime_context().get_node_id()
        actor = actor.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
    return TrialFiles(folder, token, ActorStore(actor.remote(str(folder), token)))


def sees_folder(folder: Path, token: str) -> bool:
    """Whether this node sees the study's folder."""
    marker = folder / MARKER
    return marker.is_file() and marker.read_text() == token


def read_files(folder: Path) -> dict[str, bytes]:
    """The files of a trial's folder."""
    return {name: (folder / name).read_bytes() for name in modification_times(folder)}


def modification_times(folder: Path) -> dict[str, int]:
    """When each file of a trial's folder was changed, in ns; without hidden drafts and locks."""
    files = folder.iterdir() if folder.is_dir() else ()
    return {
        path.name: path.stat().st_mtime_ns
        for path in files
        if path.is_file() and not path.name.startswith(".")
    }


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files so that no reader sees half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        draft = folder / f".{name}.{os.getpid()}"
        draft.write_bytes(data)
        draft.replace(folder / name)


def remove_copies(files: TrialFiles) -> None:
    """Delete the marker, and what nodes have copied: the store has it, or the study's folder."""
    (files.folder / MARKER).unlink(missing_ok=True)
    remove_folder(files.node_folder.name)
    if files.store is None:
        return
    with suppress(RayError):
        remove = ray.remote(num_cpus=0)(remove_folder)
        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
        places = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
        asked = [
            remove.options(scheduling_strategy=place).remote(files.node_folder.name)
            for place in places
        ]
        ray.wait(asked, num_returns=len(asked), timeout=CLEANING_SECONDS)


def remove_folder(name: str) -> None:
    """Delete a folder of this node's temporary folder."""
    shutil.rmtree(Path(tempfile.gettempdir()) / name, ignore_errors=True)
