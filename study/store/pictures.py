"""`pictures.json`, which a trial may leave: images, and by name weights over their positions."""

import json
from pathlib import Path
from typing import Any

from study.files import read_text

MAX_BYTES = 32 << 20

Picture = dict[str, Any]  # image: PNG in base64; label, answer; maps: by name rows of weights


def read_pictures(path: Path) -> list[Picture]:
    """The pictures of a file, which may come from another machine.

    None where there is no such file of its own, or it is damaged or too large.
    """
    try:
        if path.is_symlink() or path.stat().st_size > MAX_BYTES:
            return []
        pictures = json.loads(read_text(path))
        return pictures if all(is_sound(picture) for picture in pictures) else []
    except (OSError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        return []


def is_sound(picture: Picture) -> bool:
    """Whether its words can be written, and its maps are rows of equally many weights in [0, 1]."""
    for name in ("image", "label", "answer"):
        picture[name].encode()
    return all(
        len({len(row) for row in grid}) == 1
        and len(grid[0]) > 0
        and all(0 <= weight <= 1 for row in grid for weight in row)
        for grid in picture["maps"].values()
    )
