"""Files that no reader ever sees half of."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def atomic_writer(path: Path) -> Iterator[TextIO]:
    """A draft beside the target, forced to the disk at the end and then moved there in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # a name of a file may hold bytes that are no letters: they are written as escapes
        with open(draft, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a whole text in one step."""
    with atomic_writer(path) as file:
        file.write(text)
