"""Writes results.md, figures/, pages/ and records/TABLE.md from the published studies."""

from pathlib import Path

import run_study
from study.export.evidence import write_evidence

DOCS = Path(__file__).parent
FIRST = ("optimizers", "attention")  # the questions that most readers come for

if __name__ == "__main__":
    names = [*FIRST, *(name for name in run_study.space_names() if name not in FIRST)]
    write_evidence(DOCS / "records", DOCS, {name: run_study.load_space(name) for name in names})
