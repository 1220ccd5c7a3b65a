"""The folder of one run of python -m moco: one writer, one run."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from moco import distributed
from moco.config import Config


def run_identity(config: Config, fingerprint: str) -> dict[str, Any]:
    """What tells a run from others: its fields, its data and the number of workers."""
    return {**config.to_dict(), "data": fingerprint, "workers": distributed.world_size()}


def run_folder(identity: dict[str, Any], out: str | None) -> Path:
    """Where a run is saved, by default under the hash of its identity."""
    short = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    return Path(out) if out else Path("runs") / f"{identity['dataset']}-{short}"


def lock_run(folder: Path) -> FileLock:
    """Lock the folder until the lock is released.

    Raises:
        ValueError: another run writes to the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ValueError(
            f"{folder} is being written by another run; wait for it, or name another folder with "
            "--out"
        ) from None
    return lock


def claim_folder(folder: Path, identity: dict[str, Any]) -> None:
    """Write the identity to the folder's config.json, or check that it stands there.

    Raises:
        ValueError: the folder holds a run with other fields, data or workers; they are named.
    """
    file = folder / "config.json"
    if file.exists():
        saved = read_identity(file)
        other = [
            f"{name} {saved.get(name)!r}, not {value!r}"
            for name, value in identity.items()
            if saved.get(name) != value
        ]
        if other:
            raise ValueError(
                f"--out must be a folder of its own for each run; {folder} holds one with "
                f"{', '.join(other)}"
            )
        return
    draft = file.with_name(f"config.json.{os.getpid()}")
    draft.write_text(json.dumps(identity, indent=1))
    draft.replace(file)


def read_identity(file: Path) -> dict[str, Any]:
    """The identity of a folder's config.json.

    Raises:
        ValueError: it cannot be read as such.
    """
    try:
        saved = json.loads(file.read_text())
    except (OSError, ValueError):
        saved = None
    if not isinstance(saved, dict):
        raise ValueError(
            f"{file} must hold the fields of the run; it cannot be read. Name another folder with "
            "--out, or remove this one"
        )
    return saved
