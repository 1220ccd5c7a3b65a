"""The chain of a study's records, by which a later change shows.

Each record carries the hash of the one before it, its own, and that of the plan under which it was
written; the first follows the plan. Who changes a record must forge all that follow, and then the
last hash is another one than the page, or whoever wrote it down, says.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from study.design.record import Link, Record
from study.store.study_file import StudyFile

DIGITS = 32  # hexadecimal, of a hash


class Chain(NamedTuple):
    """What the chain of some records says."""

    total: int  # records
    unlinked: int  # of them at the beginning, written before there was a chain
    head: str  # hash of the last
    breaks: tuple[str, ...]  # sentences: what is wrong, and in which line


def hash_record(record: Record, plan: str, previous: str) -> str:
    """A record's hash: SHA-256 of its content with the plan's hash and that of the one before."""
    values = replace(record, link=None).to_dict()
    del values["schema"]  # that of whoever reads it
    text = json.dumps([previous, plan, values], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def is_as_written(record: Record, link: Link) -> bool:
    """Whether a record's hash is that of its content."""
    return hash_record(record, link.plan, link.previous) == link.own


def append_link(record: Record, plan: str, previous: str) -> Record:
    """The record as it follows another one."""
    return replace(record, link=Link(plan, previous, hash_record(record, plan, previous)))


def head_hash(records: Sequence[Record], plan: str) -> str:
    """The hash that the next record follows: that of the last one, before the first the plan's."""
    if records and (link := records[-1].link):
        return link.own
    previous = plan
    for record in records:
        previous = record.link.own if record.link else hash_record(record, "", previous)
    return previous


def check_chain(records: Sequence[Record], plans: Sequence[str]) -> Chain:
    """Check that records stand as they were written.

    Args:
        plans: the hashes of the plans that the study had, in their order.
    """
    written = {record.link.own for record in records if record.link} | set(plans[:1])
    previous, unlinked, moved, breaks = next(iter(plans), ""), 0, [], []
    for line, record in enumerate(records, start=1):
        link = record.link
        if link is None and unlinked == line - 1:
            unlinked, previous = line, hash_record(record, "", previous)
        elif link is None:
            breaks.append(f"Line {line} of records.jsonl has no hash, as those before it have")
        else:
            if words := link_break(record, link, plans):
                breaks.append(f"Line {line} of records.jsonl {words}")
            elif link.previous != previous and link.previous in written:
                moved.append(line)
            elif link.previous != previous:
                breaks.append(
                    f"Line {line} of records.jsonl does not follow what stands before it: there "
                    "records were removed or replaced"
                )
            previous = link.own
    if moved:
        lines = ", ".join(map(str, moved))
        breaks.append(f"Lines of records.jsonl do not stand in the order of writing: {lines}")
    return Chain(len(records), unlinked, previous, tuple(breaks))


def link_break(record: Record, link: Link, plans: Sequence[str]) -> str:
    """What is wrong with a record by itself; empty where nothing is."""
    if not is_as_written(record, link):
        return (
            f"was changed after it was written: trial {record.trial}, {record.arm}, "
            f"{record.stage}, seed {record.seed}"
        )
    if link.plan not in plans:
        return f"was written under a plan {link.plan}, which study.json does not name"
    if not is_as_adopted(record):
        return f"is adopted, and trial {record.trial} is not as it was written where it ran"
    return ""


def tamper_lines(study: StudyFile, chain: Chain) -> list[str]:
    """What of a study's plan and records was changed after it was written, in sentences."""
    edited = []
    if study.found != study.hash:
        edited = [
            f"The plan in study.json was edited after it was written: its hash is {study.found}, "
            f"and the file says {study.hash}"
        ]
    stripped = []
    if chain.unlinked and study.schema > 1 and not study.about.changes:
        stripped = [
            f"{chain.unlinked} records have no hash, though the study was begun by a version that "
            "writes them"
        ]
    given = study.plan.given
    missing = []
    if given and chain.total != given.runs:
        missing = [f"records.jsonl has {chain.total} lines, and {given.runs} runs were judged"]
    return [*edited, *stripped, *missing, *chain.breaks]


def seal(head: str, plan: str) -> str:
    """The hash of plan and records together: of the last record's and the plan's."""
    return hashlib.sha256(f"{head} {plan}".encode()).hexdigest()[:DIGITS]


def is_as_adopted(record: Record) -> bool:
    """Whether a record is as its first file had it; true where it was not adopted with a chain."""
    origin = record.extra.get("origin")
    if not isinstance(origin, dict):
        return True
    try:
        link = Link(**origin["chain"])
        extra = {k: v for k, v in record.extra.items() if k not in ("adopted", "origin")}
        first = replace(record, **origin["was"], extra=extra)
        return is_as_written(first, link)
    except (KeyError, TypeError):
        return False
