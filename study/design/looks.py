"""The analyses of a study that goes on until it is decided: how many, and when, fixed in advance.

Every analysis of a growing set of results is another chance to err. Their number is therefore fixed
before the first run, and each is judged at its share of the error rate (Bonferroni).
"""

import math
from dataclasses import replace

from study.design.space import Profile
from study.errors import StudyError

ALPHA = 0.05  # error rate of a claim, over all analyses that were planned
GROWTH = 1.5  # pairs of one analysis over those of the one before


def planned_looks(first: int, most: int) -> tuple[int, ...]:
    """The numbers of pairs at which an undecided study is analysed, ascending, `most` the last.

    Each is half as many again as the one before. The first is `first`, or more where the least p
    of so few pairs, 2 / 2^n, is above an analysis's share of the error rate.

    Raises:
        StudyError: `most` leaves no second analysis.
    """
    for start in range(first, most):
        looks = [start]
        while looks[-1] < most:
            following = math.ceil(looks[-1] * GROWTH)
            looks.append(following if following * GROWTH <= most + 1 else most)
        if 2 / 2**start <= ALPHA / len(looks):
            return tuple(looks)
    least = next(n for n in range(first, 64) if 2 / 2**n <= ALPHA / 2) + 1
    raise StudyError(
        f"--until-decided must be {least} or more, so that the study has a second analysis; "
        f"got {most}"
    )


def with_pairs(sizes: Profile, pairs: int) -> Profile:
    """The sizes with so many searches, or of an untuned or single search so many final seeds."""
    if sizes.searches > 1:
        return replace(sizes, searches=pairs)
    return replace(sizes, final_seeds=pairs)


def until_decided(sizes: Profile, most: int) -> Profile:
    """The sizes of the first analysis of a study that goes on up to `most` pairs.

    Raises:
        StudyError: `most` leaves no second analysis.
    """
    first = sizes.searches if sizes.searches > 1 else sizes.final_seeds
    looks = planned_looks(first, most)
    return replace(with_pairs(sizes, looks[0]), looks=looks)


def next_look(sizes: Profile) -> Profile | None:
    """The sizes of the next planned analysis; None after the last, or where none was planned."""
    pairs = sizes.searches if sizes.searches > 1 else sizes.final_seeds
    following = [look for look in sizes.looks if look > pairs]
    return with_pairs(sizes, following[0]) if following else None
