"""RESULTS.md: one section a machine, made anew from what the parts left; sections of other machines stay as they are."""

import json
import platform
import re
from pathlib import Path
from typing import Any

from benchmarks.rounds import ROOT
from benchmarks.table import Table
from moco.config import Config
from moco.device import describe, pick_device, pick_precision
from study.machine import commit, cores, now, versions

FILE = ROOT / "benchmarks" / "RESULTS.md"
KEPT = ROOT / "results" / "benchmarks"
INTRODUCTION = """# Results

Written by `make bench`; each machine's section is replaced when the benchmarks run there. Numbers are medians of rounds in which all sides
take turns; “rounds” is the fastest and the slowest against the median. Nothing here is a test: a busy machine gives other numbers, the ratios
less so.
"""


def machine() -> str:
    """This machine in words."""
    device = pick_device("auto")
    if device.type != "cpu":
        return f"{describe(device)}, {cores()} cores"
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return f"{cores()} cores of {found[1] if found else platform.processor() or platform.machine()}"


def keep(part: str, tables: list[Table], minutes: float) -> None:
    """Leaves what a part found, with its date, versions and commit."""
    folder = KEPT / re.sub(r"\W+", "-", machine())
    folder.mkdir(parents=True, exist_ok=True)
    about = {"date": now()[:10], "commit": commit(ROOT), "minutes": round(minutes, 1), "versions": versions(), "precision": precision()}
    (folder / f"{part}.json").write_text(json.dumps({**about, "tables": [table._asdict() for table in tables]}, indent=1))


def precision() -> str:
    """What auto means on this machine."""
    return str(pick_precision(Config(), pick_device("auto"), 32)).removeprefix("torch.")


def write(parts: list[str]) -> None:
    """Replaces this machine's section by what is kept of the parts, in their order."""
    folder = KEPT / re.sub(r"\W+", "-", machine())
    found = [json.loads((folder / f"{part}.json").read_text()) for part in parts if (folder / f"{part}.json").exists()]
    text = FILE.read_text() if FILE.exists() else INTRODUCTION
    head = f"## {machine()}\n"
    others = [section for section in re.split(r"(?m)^(?=## )", text)[1:] if not section.startswith(head)]
    FILE.write_text("\n".join([INTRODUCTION, *sorted([section(head, found), *others])]).rstrip() + "\n")


def section(head: str, found: list[dict[str, Any]]) -> str:
    """A machine's section."""
    named = ("python", "torch", "torchvision", "ray", "numpy")
    lines = [head]
    for part in found:
        told = ", ".join(f"{name} {part['versions'][name]}" for name in named if name in part["versions"])
        said = f"{part['date']}, commit {part['commit'] or 'unknown'}, {told}; auto precision {part['precision']}; {part['minutes']:g} min."
        for table in part["tables"]:
            lines += [f"### {table['title']}\n", *markdown(table), f"\n{table['note']}\n" if table["note"] else "", f"<sub>{said}</sub>\n"]
    return "\n".join(lines)


def markdown(table: dict[str, Any]) -> list[str]:
    """The rows as Markdown; nothing where there are none."""
    if not table["rows"]:
        return []
    sides = ["---" if k == 0 else "---:" for k in range(len(table["head"]))]
    return ["| " + " | ".join(row) + " |" for row in [table["head"], sides, *table["rows"]]]
