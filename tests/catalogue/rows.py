"""The rows of the catalogue, read from the text files beside this one.

A file has sections. A section's head names the program with the words that begin each of its commands and, after a bar,
the places that are made first. Each row is the rest of a command and, indented, its sentence; "exit N:" before the
sentence stands where the exit code is not 2, and several indented lines are parts of one output.
"""

import shlex
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
NOTHING = "(nothing)"  # the rest of a command that has none


class Row(NamedTuple):
    """A command, what is there before it, and how it must end."""

    place: str  # file and line
    program: str
    words: list[str]
    places: list[str]
    code: int
    parts: list[str]  # of the output

    def __str__(self):
        return f"{self.place} {' '.join(self.words)[-60:]}"


def read_rows(file):
    """The rows of one file."""
    rows, head, places = [], [], []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        if line.startswith("["):
            command, _, names = text.strip("[]").partition("|")
            head, places = shlex.split(command), names.split()
        elif not line.startswith(" "):
            rest = [] if text == NOTHING else shlex.split(text)
            words = [word.encode().decode("unicode_escape") for word in rest]
            rows.append(Row(f"{file.stem}:{number}", head[0], head[1:] + words, places, 2, []))
        else:
            if text.startswith("exit "):
                code, _, text = text.removeprefix("exit ").partition(":")
                rows[-1] = rows[-1]._replace(code=int(code))
            rows[-1].parts.append(text.strip())
    return rows


ROWS = [row for file in sorted(HERE.glob("*.txt")) for row in read_rows(file)]
