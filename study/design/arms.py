"""Which arms a study has: the space's, those of one's own, and over what they are searched."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from study.design.ranges import LogRange
from study.design.space import Arm, Profile, Space
from study.errors import StudyError
from study.text import join_words


def leave_report_out(space: Space) -> Space:
    """The space without what repeats the report; its setting is still run beside the searches."""
    claims = tuple(c for c in space.claims if c.stage != "replica" and c.role != "published")
    replica = replace(space.replica, row="", quote="", unknown=(), unstated="")
    threats = tuple(one for one in space.threats if "report’s" not in one)
    return replace(space, claims=claims, reported=(), replica=replica, threats=threats)


def select_arms(
    space: Space,
    sizes: Profile,
    overrides: Mapping[str, Any],
    ranges: Mapping[str, LogRange] | None = None,
) -> Space:
    """The space with the arms that a study has, and the claims about them.

    Args:
        sizes: may set fields of arms, and of the final stage.
        overrides: of these "arms", names joined by commas or "all" (default: those that are neither
            optional nor left out at these sizes), and the sizes of the final stage. An arm of one's
            own is named `module:object`.
        ranges: of what arms are searched over, by the names that "arms" gives or has.

    Raises:
        StudyError: a name is no arm's, an arm of the primary claim is missing, an arm of one's own
            has no range, or a range is for no arm.
    """
    wish, ranges = overrides.get("arms", ""), dict(ranges or {})
    named = [name.strip() for name in wish.split(",")] if wish not in ("", "all") else []
    space, named = add_own_arms(space, named, ranges)
    space = replace(space, arms=tuple(replace(a, place=i) for i, a in enumerate(space.arms)))
    known = [arm.name for arm in space.arms]
    named = known if wish == "all" else named
    if unknown := [name for name in named if name not in known]:
        raise StudyError(
            f"--set arms=NAME,NAME,... takes arms of {space.name}: {', '.join(known)}, or all"
            f"{', or module:object of your own' if space.own_arm else ''}; got {unknown[0]!r}"
        )
    on_demand = {arm.name for arm in space.arms if arm.optional} | set(sizes.leaves_out)
    arms = [a for a in space.arms if (a.name in named if named else a.name not in on_demand)]
    kept = {arm.name for arm in arms}
    needed = central_arms(space) | {arm.of for arm in arms if arm.of}
    if missing := sorted(needed - kept):
        raise StudyError(
            f"--set arms must name {' and '.join(sorted(needed))}, on which the primary claim "
            f"rests; {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )
    arms = set_ranges(arms, ranges)
    final = {name: overrides.get(name, value) for name, value in sizes.final.items()}
    return replace(
        space,
        arms=tuple(sized_arm(arm, sizes) for arm in arms),
        stages={**space.stages, "final": {**space.stages["final"], **final}},
        claims=tuple(c for c in space.claims if {c.better, c.than} <= kept),
        reported=tuple(row for row in space.reported if row.arm in kept),
    )


def add_own_arms(
    space: Space, named: list[str], ranges: dict[str, LogRange]
) -> tuple[Space, list[str]]:
    """The space with the arms of one's own among these names, and the names as the arms have them.

    Their ranges are taken out of `ranges`.

    Raises:
        StudyError: the space takes none, one has no range, or what it names cannot be used.
    """
    names = []
    for name in named:
        if ":" not in name:
            names.append(name)
            continue
        if space.own_arm is None:
            raise StudyError(f"--set arms must name arms of {space.name}; got {name!r}")
        if name not in ranges:
            raise StudyError(
                f"an arm of one's own needs the range of its {space.scientific}'s parameter: add "
                f"--range {name}=LOW..HIGH"
            )
        short = re.sub(r"[^a-z0-9]+", "-", name.rpartition(":")[2].lower()).strip("-")
        taken = {arm.name for arm in (*space.arms, *space.controls)}
        short = short if short and short[0].isalpha() and short not in taken else f"own-{short}"
        try:
            own = space.own_arm(short, name, ranges.pop(name))
        except ValueError as error:
            raise StudyError(str(error)) from None
        claims = (*space.claims, *own.claims)
        space = replace(space, arms=(*space.arms, own.arm), claims=claims)
        names.append(short)
    return space, names


def set_ranges(arms: Sequence[Arm], ranges: Mapping[str, LogRange]) -> list[Arm]:
    """The arms with other ranges of what they are searched over.

    Raises:
        StudyError: a range is for no arm, or for one that is not searched over one parameter.
    """
    searched = [arm.name for arm in arms if len(arm.search) == 1]
    if unknown := [name for name in ranges if name not in searched]:
        raise StudyError(
            f"--range NAME=LOW..HIGH takes arms that are searched over one parameter: "
            f"{', '.join(searched) or 'none here'}; got {unknown[0]!r}"
        )
    return [
        replace(arm, search=dict.fromkeys(arm.search, ranges[arm.name]))
        if arm.name in ranges
        else arm
        for arm in arms
    ]


def parse_ranges(pairs: tuple[str, ...]) -> dict[str, LogRange]:
    """The ranges of --range NAME=LOW..HIGH.

    Raises:
        StudyError: a pair has another form, or its numbers are no range.
    """
    ranges: dict[str, LogRange] = {}
    for pair in pairs:
        name, _, ends = pair.partition("=")
        low, dots, high = ends.partition("..")
        try:
            if not (name and dots):
                raise ValueError("it has another form")
            span = LogRange(parse_end(low), parse_end(high))
            if not math.isfinite(span.high):
                raise ValueError("its end is not finite")
        except ValueError as error:
            raise StudyError(f"--range takes NAME=LOW..HIGH; got {pair!r} ({error})") from None
        if name in ranges:
            raise StudyError(f"--range takes each arm once; got {name} twice")
        ranges[name] = span
    return ranges


def parse_end(text: str) -> float:
    """An end of a range.

    Raises:
        ValueError: it is no number.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"its ends must be numbers, {text!r} is none") from None


def sized_arm(arm: Arm, sizes: Profile) -> Arm:
    """The arm with the fields that a profile sets for it or its group."""
    own = {**sizes.arms.get(arm.group, {}), **sizes.arms.get(arm.name, {})}
    return replace(arm, values={**arm.values, **own})


def central_arms(space: Space) -> set[str]:
    """The reference and the arms of the primary claim."""
    primary = [claim for claim in space.claims if claim.role == "primary"]
    return {space.reference, *(name for claim in primary for name in (claim.better, claim.than))}


def absent_sentences(space: Space, absent: dict[str, str]) -> list[str]:
    """Which arms are not run and why: a sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in absent.items():
        by_reason.setdefault(reason, []).append(space.arm(name).title)
    return [
        f"{join_words(titles)} {'is' if len(titles) == 1 else 'are'} not run: {reason}."
        for reason, titles in by_reason.items()
    ]
