"""RESULTS.md: a section a machine, in it a piece a part; a part that ran replaces its piece."""

import platform
import re
from pathlib import Path

from benchmarks.rounds import ROOT
from benchmarks.table import Table
from moco.config import Config
from moco.device import device_name, pick_device, pick_precision
from study.store.atomic import write_atomically
from study.store.environment import commit, cores, now, versions

FILE = ROOT / "benchmarks" / "RESULTS.md"
INTRODUCTION = """# Results

Written by `make bench`; a part that runs replaces what it found on that machine before. Numbers are
medians of rounds in which all sides take turns; “rounds” is the fastest and the slowest against the
median. Nothing here is a test: a busy machine gives other numbers, the ratios less so.
"""


def machine() -> str:
    """This machine in words."""
    device = pick_device("auto")
    if device.type != "cpu":
        return f"{device_name(device)}, {cores()} cores"
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return f"{cores()} cores of {found[1] if found else platform.processor() or platform.machine()}"


def keep(part: str, tables: list[Table], minutes: float, order: list[str]) -> None:
    """Puts what a part found in the place of what it found on this machine before; all else in the
    file stays.
    """
    sections = read()
    own = sections.setdefault(machine(), {})
    if part in own and not any(table.rows for table in tables):
        return  # it was not run this time
    own[part] = told(tables, minutes)
    sections[machine()] = {name: own[name] for name in [*order, *own] if name in own}
    lines = [INTRODUCTION]
    for name, parts in sorted(sections.items()):
        lines += [f"## {name}\n", *(f"<!-- {part} -->\n{text}" for part, text in parts.items())]
    write_atomically(FILE, "\n".join(lines).rstrip() + "\n")


def read() -> dict[str, dict[str, str]]:
    """The file's texts by machine and part."""
    found: dict[str, dict[str, str]] = {}
    for section in re.split(r"(?m)^## ", FILE.read_text() if FILE.exists() else "")[1:]:
        name, _, body = section.partition("\n")
        pieces = re.split(r"(?m)^<!-- (\w+) -->\n", body)[1:]
        found[name] = {
            part: text.rstrip() + "\n" for part, text in zip(pieces[::2], pieces[1::2], strict=True)
        }
    return found


def told(tables: list[Table], minutes: float) -> str:
    """A part's tables in Markdown, each with its date, commit and versions."""
    named = ("python", "torch", "torchvision", "ray", "numpy")
    installed = ", ".join(
        f"{name} {version}" for name, version in versions().items() if name in named
    )
    about = (
        f"{now()[:10]}, commit {commit(ROOT) or 'unknown'}, {installed}; auto precision "
        f"{precision()}; {minutes:.1f} min."
    )
    lines: list[str] = []
    for table in tables:
        lines += [
            f"### {table.title}\n",
            *markdown(table),
            f"\n{table.note}\n" if table.note else "",
            f"<sub>{about}</sub>\n",
        ]
    return "\n".join(lines)


def precision() -> str:
    """What auto means on this machine."""
    return str(pick_precision(Config(), pick_device("auto"), 32)).removeprefix("torch.")


def markdown(table: Table) -> list[str]:
    """The rows; nothing where there are none."""
    if not table.rows:
        return []
    sides = ["---" if k == 0 else "---:" for k in range(len(table.head))]
    return ["| " + " | ".join(row) + " |" for row in [table.head, sides, *table.rows]]
