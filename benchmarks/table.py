"""What a part of the benchmarks found: tables that Markdown and JSON keep alike."""

from typing import NamedTuple


class Table(NamedTuple):
    """One table of numbers that are already words."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""
