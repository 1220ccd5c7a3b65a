"""`pictures.json`, which a trial leaves: images, and by name weights over their positions."""

import json
from pathlib import Path
from typing import Any

MOST = 32 << 20  # bytes

Picture = dict[str, Any]  # image: PNG in base64; label, answer; maps: by name rows of weights


def pictures_of(path: Path) -> list[Picture]:
    """The pictures of a file, which may come from another machine; none where there is no such file of its own, or it is damaged or too large."""
    try:
        if path.is_symlink() or path.stat().st_size > MOST:
            return []
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if all(sound(picture) for picture in found) else []
    except (OSError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        return []


def sound(picture: Picture) -> bool:
    """Whether it is one: words that can be written, and maps of rows of as many weights each, none of them NaN or negative."""
    for name in ("image", "label", "answer"):
        picture[name].encode()
    return all(
        len({len(row) for row in grid}) == 1
        and len(grid[0]) > 0
        and all(0 <= weight <= 1 for row in grid for weight in row)
        for grid in picture["maps"].values()
    )
