"""A study that goes on until it is decided: its analyses are fixed before the first run."""

import pytest
import toy

from study.design.plan import ALPHA, next_look, planned_looks, until_decided
from study.errors import StudyError


@pytest.mark.parametrize(
    ("first", "most", "looks"),
    [
        (6, 8, (7, 8)),
        (6, 12, (7, 12)),
        (6, 24, (7, 11, 24)),
        (8, 24, (8, 12, 24)),
        (8, 40, (8, 12, 18, 27, 40)),
    ],
)
def test_each_analysis_has_half_as_many_pairs_again(first, most, looks):
    assert planned_looks(first, most) == looks


@pytest.mark.parametrize("first", [2, 6, 8])
@pytest.mark.parametrize("most", [9, 16, 33, 60])
def test_the_least_p_of_the_first_analysis_can_decide_and_the_last_is_the_most(first, most):
    looks = planned_looks(first, most)
    assert 2 / 2 ** looks[0] <= ALPHA / len(looks)
    assert looks[-1] == most
    assert list(looks) == sorted(set(looks))


@pytest.mark.parametrize("most", [-1, 0, 6, 7])
def test_too_few_for_a_second_analysis_is_refused(most):
    with pytest.raises(StudyError, match=f"--until-decided must be 8 or more, .* got {most}"):
        planned_looks(6, most)


def test_as_many_pairs_as_the_study_has_already_are_refused_too():
    with pytest.raises(StudyError, match="--until-decided must be 71 or more"):
        planned_looks(70, 10)


def test_analyses_share_the_error_rate_and_follow_each_other():
    sizes = until_decided(toy.plan(searches=6, final_seeds=1).sizes, 24)
    plan = toy.plan(searches=sizes.searches, final_seeds=1, looks=sizes.looks)
    assert (sizes.searches, plan.analyses, plan.alpha) == (7, 3, ALPHA / 3)
    second = next_look(sizes)
    third = next_look(second)
    assert (second.searches, third.searches, next_look(third)) == (11, 24, None)


def test_without_repeated_searches_the_seeds_grow():
    sizes = until_decided(toy.plan().sizes, 12)
    assert (sizes.final_seeds, next_look(sizes).final_seeds) == (7, 12)


def test_a_study_without_planned_analyses_has_no_next_one():
    assert next_look(toy.plan().sizes) is None
