"""Checkpoint files: replaced atomically, with the previous generation kept as a fallback."""

import io
import os
from pathlib import Path
from typing import Any

import torch

from moco.files import read_bytes


def save_atomically(path: Path, content: dict[str, Any]) -> None:
    """Replace a file in one step: readers see the old content or the new, never a mixture."""
    write_draft(path, content).replace(path)


def save_generation(path: Path, content: dict[str, Any]) -> None:
    """Save a new generation; the one before it becomes `previous_path(path)`."""
    draft = write_draft(path, content)
    if path.exists():
        path.replace(previous_path(path))
    draft.replace(path)


def write_draft(path: Path, content: dict[str, Any]) -> Path:
    """Write the content to a temporary file beside its target and flush it to the disk."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(draft, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    return draft


def previous_path(path: Path) -> Path:
    """The path of the generation before."""
    return path.with_name(f"previous-{path.name}")


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The newest intact generation; None if there is none, so that the trial starts again.

    Damaged files are renamed to damaged-*.

    Raises:
        OSError: a file exists but cannot be read at the moment; it does not count as damaged.
        MemoryError: likewise.
    """
    for file in (path, previous_path(path)):
        try:
            content = read_bytes(file)
        except FileNotFoundError:
            continue
        try:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception:  # a truncated file raises almost any type of exception
            file.replace(file.with_name(f"damaged-{file.name}"))
    return None
