"""Whether a study's folder is whole: its plan, its records and their order, its page and tables."""

import json
import tempfile
from pathlib import Path
from typing import NamedTuple

from study.files import read_bytes
from study.report.folder import StudyFolder, read_folder
from study.report.page import PAGE, render_page
from study.report.verdict_file import FILE_NAME as VERDICT_FILE
from study.report.verdict_file import write_verdict
from study.store.chain import seal
from study.store.flat_files import FLAT_FILES, write_flat_files
from study.store.ledger import FILE

DRAWN = (PAGE, VERDICT_FILE, *FLAT_FILES)  # files that are made of the records


class Verification(NamedTuple):
    """What was found in a study's folder."""

    findings: list[str]  # sentences on what was changed
    notes: list[str]  # sentences on what cannot be said, or is out of date
    summary: str


def verify_study(folder: Path) -> Verification:
    """Check plan, records and what is drawn of them against the hashes, and each other.

    Raises:
        StudyError: the folder holds no study, or a line of its records is damaged.
    """
    study = read_folder(folder)
    records, chain = study.results.records, study.chain
    findings = [f"{line}." for line in study.changes]
    notes = []
    if records and records[-1].link and records[-1].link.plan != study.file.hash:
        notes.append(
            f"No record was written under the present plan {study.file.hash} yet: it replaced "
            f"{records[-1].link.plan} after them."
        )
    if (folder / FILE).exists() and not read_bytes(folder / FILE).endswith(b"\n"):
        notes.append("The last line of records.jsonl is torn, as a kill leaves it; it is not read.")
    if chain.unlinked:
        notes.append(
            f"The first {chain.unlinked} of {chain.total} records were written by a version "
            "without hashes: a change of one shows only where a later record follows it."
            if chain.unlinked < chain.total
            else f"The {chain.total} records were written by a version without hashes: nothing "
            "can be said of them."
        )
    if not findings:
        wrong, stale = drawn_files(study)
        is_old = chain.unlinked == chain.total and study.file.schema == 1
        findings += [] if is_old else wrong
        notes += [*(wrong if is_old else []), *stale]
    return Verification(findings, notes, summary(study, is_whole=not findings))


def summary(study: StudyFolder, *, is_whole: bool) -> str:
    """What is found, in a sentence."""
    chain, plan = study.chain, study.file.hash
    if not is_whole:
        return f"{study.path} is not whole."
    if chain.unlinked == chain.total:
        return f"Nothing to verify: no record of {study.path} has a hash."
    return (
        f"Whole: {chain.total} records follow the plan {plan} in the order of writing; the "
        f"seal of plan and records is {seal(chain.head, plan)}."
    )


def drawn_files(study: StudyFolder) -> tuple[list[str], list[str]]:
    """Sentences on page and tables that are not those of the records, and on what is older."""
    found = {name: content_of(study.path / name) for name in DRAWN}
    absent = [name for name, text in found.items() if text is None]
    if len(absent) == len(found):
        return [], ["There is no page yet; --report draws it."]
    if different := differing_files(study, found):
        earlier = drawn_count(found[VERDICT_FILE])
        if earlier < study.chain.total and not differing_files(study.first(earlier), found):
            return [], [
                f"The page shows the first {earlier} of {study.chain.total} records; --report "
                "draws it again."
            ]
        return [
            f"{name} is not what this version of the program makes of the records: it was edited "
            "or replaced, or another version wrote it; --report writes it again."
            for name in different
        ], []
    return [], [f"{name} is not there; --report writes it." for name in absent]


def differing_files(study: StudyFolder, found: dict[str, bytes | None]) -> list[str]:
    """Of the files that are there, those that the study's records do not give."""
    with tempfile.TemporaryDirectory() as draft:
        made = Path(draft)
        write_flat_files(made, study.results.records)
        write_verdict(made, study.results)
        (made / PAGE).write_text(render_page(study), encoding="utf-8", newline="")
        return [
            name
            for name, text in found.items()
            if text is not None and text != (made / name).read_bytes()
        ]


def drawn_count(verdict: bytes | None) -> int:
    """Of how many records verdict.json says that it was made; 0 where it cannot be read."""
    try:
        return int(json.loads(verdict or b"{}")["records"])
    except (ValueError, KeyError, TypeError):
        return 0


def content_of(path: Path) -> bytes | None:
    """A file's content; None where it cannot be read."""
    try:
        return read_bytes(path)
    except OSError:
        return None
