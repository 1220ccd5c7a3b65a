"""A plan from a space and a command: which arms, which fields, and what the command may not set."""

from dataclasses import dataclass, replace

import pytest
from sweep import SWEEP, plan_of, sweep
from toy import DEFAULTS, WORDS, Toy, task

from study.design.make_plan import check_overrides
from study.design.space import Profile
from study.design.stages import due_trials
from study.errors import StudyError

NOTHING = Profile("none", {})


def with_values(space, **values):
    """The space with other fields of some arms, by their names."""
    arms = (replace(arm, values=values.get(arm.name, arm.values)) for arm in space.arms)
    return replace(space, arms=tuple(arms))


def test_fields_of_arms_and_of_the_final_stage_go_with_the_profile():
    trials = list(due_trials(sweep(), {}))
    assert {trial.config["best"] for trial in trials if trial.arm == "blue"} == {0.05}
    assert {trial.config["gain"] for trial in trials if trial.stage == "final"} == {4.0}
    assert {trial.config["gain"] for trial in trials if trial.stage == "replica"} == {3.0}


def test_optional_arms_are_run_where_they_are_named_and_their_claims_go_with_them():
    assert [claim.name for claim in sweep().space.claims] == ["main", "replica", "blue"]
    assert "extra" in [claim.name for claim in sweep("all").space.claims]
    few = sweep("red, red-10,red-30,extra")
    assert [arm.name for arm in few.space.arms] == ["red", "red-10", "red-30", "extra"]
    assert [claim.name for claim in few.space.claims] == ["main", "replica", "extra"]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("red,pink", "takes arms of toy: red, blue, .*; got 'pink'"),
        ("red,red-10", "red-30 is missing"),
    ],
)
def test_arms_that_are_none_or_too_few_are_refused(wish, told):
    with pytest.raises(StudyError, match=told):
        sweep(wish)


def test_what_was_found_of_an_arm_is_part_of_its_trials():
    trials = due_trials(sweep(found={"blue": {"best": 0.02}}), {})
    assert {trial.arm: trial.config["best"] for trial in trials} == {"red": 0.03, "blue": 0.02}


def test_arms_that_an_override_makes_one_are_refused():
    space = with_values(SWEEP, blue={"mode": "high"}, red={})
    with pytest.raises(StudyError, match="with it Red and Blue are the same"):
        plan_of(space, {"mode": "high"}, NOTHING)


@dataclass(frozen=True)
class ColourBlind(Toy):
    """A trainer to which all colours are one."""

    def canonical(self, config):
        return {**config, "colour": ""}


def test_arms_that_differ_in_nothing_that_counts_are_refused():
    space = replace(SWEEP, trainer=ColourBlind(task, DEFAULTS, WORDS))
    with pytest.raises(StudyError, match="with it Red and Blue are the same"):
        plan_of(space, sizes=NOTHING)


def test_a_size_of_the_final_stage_may_be_set_and_holds_there_alone():
    plan = plan_of(SWEEP, {"gain": 5.0})
    assert {(trial.stage, trial.config["gain"]) for trial in due_trials(plan, {})} == {
        ("final", 5.0),
        ("replica", 3.0),
    }


def test_a_field_that_only_other_arms_set_is_free_and_they_keep_their_own():
    space = with_values(SWEEP, extra={"mode": "high"})
    sizes = space.profiles["quick"]
    check_overrides(space, {"mode": "low"}, sizes)
    with pytest.raises(StudyError, match="--set colour is not free"):
        check_overrides(space, {"colour": "blue"}, sizes)
    trials = due_trials(plan_of(space, {"mode": "low", "arms": "all"}), {})
    assert {(trial.arm, trial.config["mode"]) for trial in trials} == {
        ("red", "low"),
        ("blue", "low"),
        ("extra", "high"),
    }


def test_a_size_of_the_final_stage_is_above_0():
    with pytest.raises(
        StudyError, match="--set gain must be above 0: the final stage measures by it"
    ):
        check_overrides(SWEEP, {"gain": 0.0}, SWEEP.profiles["quick"])


def test_what_a_run_is_at_all_is_not_free():
    words = replace(WORDS, set_by_study=("method",))
    space = replace(SWEEP, trainer=Toy(task, DEFAULTS, words))
    with pytest.raises(StudyError, match="--set method is not free"):
        check_overrides(space, {"method": "supervised"}, SWEEP.profiles["quick"])
    with pytest.raises(StudyError, match="--set seed is not free"):
        check_overrides(space, {"seed": 3}, SWEEP.profiles["quick"])
