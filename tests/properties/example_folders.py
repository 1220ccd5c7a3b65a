"""Empty folders for examples: Hypothesis tries many in one test, and each needs one of its own."""

import itertools
from pathlib import Path

NUMBERS = itertools.count()
HOME: list[Path] = []  # the folder that holds them while tests run


def new_folder():
    """An empty folder."""
    folder = HOME[0] / str(next(NUMBERS))
    folder.mkdir()
    return folder
