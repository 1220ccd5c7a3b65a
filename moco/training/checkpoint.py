"""Two generations of one file, each replaced in one step: a reader sees the old or the new one, never half of either."""

import io
import os
from pathlib import Path
from typing import Any

import torch


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes beside the target, forces it to the disk, then moves it there."""
    drafted(path, content).replace(path)


def save_next(path: Path, content: dict[str, Any]) -> None:
    """Saves a new generation; the one before stays as `previous(path)`."""
    draft = drafted(path, content)
    if path.exists():
        path.replace(previous(path))
    draft.replace(path)


def drafted(path: Path, content: dict[str, Any]) -> Path:
    """The content in a file beside its target, on the disk."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(draft, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    return draft


def previous(path: Path) -> Path:
    """Where the generation before is."""
    return path.with_name(f"previous-{path.name}")


def load(path: Path) -> dict[str, Any] | None:
    """The newest generation that is there and whole; None where there is none: the trial then starts again. What is damaged is set aside.

    Raises:
        OSError: a file is there but cannot be read now; it is not taken for a damaged one.
        MemoryError: likewise.
    """
    for file in (path, previous(path)):
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            continue
        try:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception:  # torch meets the bytes of a torn file with nearly any error
            file.replace(file.with_name(f"damaged-{file.name}"))
    return None
