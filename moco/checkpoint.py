"""One file a trial, replaced in one step: a reader sees the old or the new one, never half of either."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes beside the target, forces it to the disk, then moves it there."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(draft, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The content; None where there is no file or it is damaged: the trial then starts again."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError):  # torch names a torn file in several ways
        return None
