"""Files that no reader ever sees half of."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Writes beside the target, forces it to the disk, then moves it there in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(draft, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
