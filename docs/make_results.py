"""Writes results.md, figures/, pages/ and records/TABLE.md from the published studies."""

from pathlib import Path

import run_study
from study.export.evidence import write_evidence

DOCS = Path(__file__).parent
FIRST = ("optimizers", "attention")  # the questions that most readers come for


def write_results(records: Path, docs: Path) -> None:
    """Write what the studies below a folder say into another one."""
    names = [*FIRST, *(name for name in run_study.space_names() if name not in FIRST)]
    write_evidence(records, docs, {name: run_study.load_space(name) for name in names})


if __name__ == "__main__":
    write_results(DOCS / "records", DOCS)
