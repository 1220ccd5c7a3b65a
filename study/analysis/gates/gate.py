"""A gate: one condition that must hold before a number may decide a claim."""

from enum import StrEnum
from typing import NamedTuple


class Cause(StrEnum):
    """What a gate asks for that is more than its name says."""

    NONE = ""
    ABSENT = "absent"  # an arm cannot be run here
    UNFINISHED = "unfinished"  # the study has not ended
    SAME = "same"  # an adaptive search found the reference again
    COLLAPSED = "collapsed"  # runs collapsed and are kept
    MISSING = "missing"  # runs of one arm have no result
    DUPLICATES = "duplicates"  # test items are also trained on


class Gate(NamedTuple):
    """One condition and whether it holds."""

    name: str
    state: str  # passed, failed, or unknown: the source does not say
    reason: str
    cause: Cause = Cause.NONE
    detail: str = ""  # the part of the reason that names the cause


def passed(name: str, reason: str, cause: Cause = Cause.NONE, detail: str = "") -> Gate:
    """A gate that holds."""
    return Gate(name, "passed", reason, cause, detail)


def failed(name: str, reason: str, cause: Cause = Cause.NONE) -> Gate:
    """A gate that does not hold."""
    return Gate(name, "failed", reason, cause)
