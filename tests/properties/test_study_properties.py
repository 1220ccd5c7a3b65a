"""What holds for all records, plans, ranges and numbers, tried on made-up ones (Hypothesis)."""

import json
import math
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
import pytest
import toy
from example_folders import new_folder
from hypothesis import assume, example, given
from hypothesis import strategies as st

from study.analysis.results import Results
from study.analysis.statistics import holm, paired, sign_flip_p, t_interval, unpaired
from study.design.arms import parse_ranges
from study.design.ranges import LogRange
from study.design.record import Record, parse_record
from study.design.stages import due_trials, expected_trials
from study.design.trial import trial_id
from study.errors import StudyError
from study.search.quasi_random import sobol_points
from study.store.chain import append_link, check_chain
from study.store.ledger import Ledger, read_records
from study.store.plan_json import plan_from_dict

WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)
SCALARS = st.one_of(st.integers(-(2**53), 2**53), NUMBERS, WORDS)
RESULTS = st.dictionaries(
    WORDS, st.one_of(st.floats(-1e30, 1e30), st.integers(-9, 9), WORDS), max_size=5
)
FIELDS = st.dictionaries(WORDS, st.one_of(SCALARS, st.booleans(), st.none()), max_size=5)
SCORES = st.lists(st.floats(-100, 100), min_size=2, max_size=12)


@st.composite
def records(draw):
    """Any record that a run could leave."""
    return Record(
        trial=draw(st.text("0123456789abcdef", min_size=10, max_size=10)),
        stage=draw(st.sampled_from(("replica", "search", "confirm", "final", "control"))),
        arm=draw(st.sampled_from(("red", "blue", "green"))),
        seed=draw(st.integers(0, 2**31)),
        status=draw(st.sampled_from(("finished", "diverged", "failed"))),
        config=draw(FIELDS),
        point=draw(st.dictionaries(WORDS, SCALARS, max_size=3)),
        why=draw(WORDS),
        result=draw(RESULTS),
        curve=draw(
            st.lists(
                st.fixed_dictionaries({"epoch": st.integers(1, 99), "loss": NUMBERS}), max_size=3
            )
        ),
        error=draw(WORDS),
        seconds=draw(st.floats(0, 1e9)),
        device=draw(WORDS),
        versions=draw(st.dictionaries(WORDS, WORDS, max_size=2)),
        commit=draw(WORDS),
        started="2026-01-01T00:00:00Z",
        ended="2026-01-01T00:00:01Z",
    )


def chained(some):
    """Records as a ledger writes them, of the plan "p"."""
    found, head = [], "p"
    for record in some:
        found.append(append_link(record, "p", head))
        head = found[-1].link.own
    return found


def lines_of(some):
    return b"".join(json.dumps(record.to_dict()).encode() + b"\n" for record in some)


@given(st.lists(records(), max_size=4))
def test_records_are_read_as_they_were_written(some):
    lines = lines_of(chained(some)).splitlines(keepends=True)
    found = [parse_record(line, "") for line in lines]
    assert found == chained(some)
    assert lines_of(found) == lines_of(chained(some))
    assert check_chain(chained(some), ["p"]).breaks == ()


@given(st.lists(records(), min_size=1, max_size=4), st.data())
def test_a_file_of_records_may_be_cut_anywhere(some, data):
    whole = chained({record.trial: record for record in some}.values())
    text = lines_of(whole)
    cut = text[: data.draw(st.integers(0, len(text)))]
    folder = new_folder()
    (folder / "records.jsonl").write_bytes(cut)
    ends = [len(lines_of(whole[: i + 1])) - 1 for i in range(len(whole))]  # without the line's end
    left = [record for end, record in zip(ends, whole, strict=True) if end <= len(cut)]
    assert read_records(folder) == left
    Ledger(folder).close()
    assert (folder / "records.jsonl").read_bytes() == lines_of(left)
    assert read_records(folder) == left


@given(st.lists(records(), min_size=1, max_size=3), st.data())
def test_a_flipped_bit_of_a_record_is_named_or_harmless(some, data):
    whole = chained(some)
    text = bytearray(lines_of(whole))
    text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    folder = new_folder()
    (folder / "records.jsonl").write_bytes(text)
    try:
        found = read_records(folder)
    except StudyError as problem:
        assert "Error" not in str(problem)
        return
    # a torn end is said by --verify, and so is a record that lost its hash
    same, chain = lines_of(found) == lines_of(whole[: len(found)]), check_chain(found, ["p"])
    assert same or chain.breaks or chain.unlinked


@given(FIELDS, st.integers(0, 2**31), st.randoms())
def test_a_trial_is_known_by_its_fields_and_not_by_their_order(config, seed, random):
    names = list(config)
    random.shuffle(names)
    assert trial_id({name: config[name] for name in names}, "f", seed) == trial_id(
        config, "f", seed
    )
    assert trial_id(config, "f", seed + 1) != trial_id(config, "f", seed)
    assert trial_id(config, "g", seed) != trial_id(config, "f", seed)
    for name, value in config.items():
        other = {**config, name: [value]}
        assert trial_id(other, "f", seed) != trial_id(config, "f", seed)


SIZES = st.fixed_dictionaries(
    {
        "search_trials": st.integers(1, 8),
        "added_trials": st.integers(0, 3),
        "confirm_points": st.integers(1, 3),
        "confirm_seeds": st.integers(1, 3),
        "final_seeds": st.integers(1, 9),
        "replica_seeds": st.integers(0, 6),
    }
)


@given(SIZES)
def test_a_plan_survives_its_file_and_asks_for_each_trial_once(sizes):
    plan = toy.plan(**sizes)
    again = plan_from_dict(json.loads(json.dumps(plan.to_dict())), sobol_points)
    assert again.hash == plan.hash
    trials = list(due_trials(plan, {}))
    assert trials == list(due_trials(again, {}))
    ids = [trial.id for trial in trials]
    assert len(set(ids)) == len(ids)
    expected = expected_trials(plan)
    for stage in ("replica", "search"):
        assert sum(trial.stage == stage for trial in trials) <= expected.get(stage, 0)
    searched = [trial.arm for trial in trials if trial.stage == "search"]
    by_arm = [searched.count(arm.name) for arm in toy.SPACE.arms]
    assert len(set(by_arm)) == 1, "equal budgets"


@given(st.floats(1e-12, 1e11), st.floats(1.0001, 1e6), st.integers(1, 6), st.integers(0, 2**31))
@example(1.00004, 1.0001, 4, 0)  # four digits lie below the range
def test_points_of_a_search_lie_in_its_range_and_are_the_same_again(low, factor, count, seed):
    span = LogRange(low, low * factor)
    points = sobol_points({"lr": span}, count, seed)
    assert points == sobol_points({"lr": span}, count, seed)
    assert all(span.low <= point["lr"] <= span.high for point in points)


@given(st.floats(1e-300, 1e299), st.floats(1.001, 1e6))
def test_a_range_of_the_command_is_read_as_it_was_written(low, factor):
    high = low * factor
    assume(low < high < math.inf)
    assert parse_ranges((f"sgd={low!r}..{high!r}",)) == {"sgd": LogRange(low, high)}


@given(WORDS)
def test_any_word_as_a_range_is_a_range_or_a_sentence(word):
    try:
        spans = parse_ranges((f"sgd={word}",))
    except StudyError as problem:
        assert "--range takes NAME=LOW..HIGH" in str(problem)
    else:
        assert 0 < spans["sgd"].low < spans["sgd"].high < math.inf


@given(SCORES, st.randoms(), st.floats(0.01, 100), st.floats(-50, 50))
def test_differences_follow_scale_and_shift_and_know_no_order(scores, random, scale, shift):
    first = dict(enumerate(scores))
    second = {seed: random.uniform(-100, 100) for seed in first}
    found = paired(first, second)
    seeds = list(first)
    random.shuffle(seeds)
    assert paired({s: first[s] for s in seeds}, second) == found
    moved = paired(*({s: scale * v + shift for s, v in arm.items()} for arm in (first, second)))
    size = scale * (1 + max(map(abs, found.differences)))
    for name in ("mean", "low", "high"):
        assert getattr(moved, name) == pytest.approx(
            scale * getattr(found, name), abs=1e-9 * (size + abs(shift)), rel=1e-6
        )
    turned = paired(second, first)
    assert (turned.mean, turned.low, turned.high) == pytest.approx(
        (-found.mean, -found.high, -found.low), abs=1e-9
    )
    assert turned.p == found.p
    assert found.low <= found.mean <= found.high
    assert 2 / 2 ** len(scores) <= found.p <= 1


@given(SCORES, SCORES, st.randoms())
@example([0.0, 0.0], [0.0, 8.1e-109], Random(0))  # a variance whose square is no float
def test_unpaired_differences_know_no_order_and_turn_their_sign(first, second, random):
    found, turned = unpaired(first, second), unpaired(second, first)
    mixed = [random.sample(values, len(values)) for values in (first, second)]
    again = unpaired(*mixed)
    assert (again.mean, again.low, again.high) == pytest.approx(
        (found.mean, found.low, found.high), abs=1e-9
    )
    assert (turned.mean, turned.low, turned.high) == pytest.approx(
        (-found.mean, -found.high, -found.low), abs=1e-9
    )
    assert found.low <= found.mean <= found.high


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=10), st.randoms())
def test_flipping_signs_and_an_order_of_pairs_change_no_p(values, random):
    p = sign_flip_p(values)
    assert sign_flip_p([-value for value in values]) == p
    assert sign_flip_p(random.sample(values, len(values))) == p
    low, high = t_interval(values)
    assert low <= np.mean(values) + 1e-12
    assert np.mean(values) - 1e-12 <= high


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=8), st.randoms())
def test_holm_keeps_the_order_of_p_values_and_knows_none_of_its_own(values, random):
    found = holm(values)
    order = random.sample(range(len(values)), len(values))
    assert repr([found[i] for i in order]) == repr(holm([values[i] for i in order]))
    real = [(p, q) for p, q in zip(values, found, strict=True) if not math.isnan(p)]
    assert all(p <= q <= 1 for p, q in real)
    assert sorted(real) == sorted(real, key=lambda pair: (pair[1], pair[0]))


@cache
def finished():
    plan = toy.plan(search_trials=3, final_seeds=6)
    return plan, toy.run_all(plan, toy.task, new_folder())


@given(st.randoms())
def test_the_order_of_records_changes_no_verdict(random):
    plan, some = finished()
    mixed = random.sample(some, len(some))
    first, again = (Results(plan, records).verdicts for records in (some, mixed))
    assert [(one.claim.name, one.label, one.result) for one in first] == [
        (one.claim.name, one.label, one.result) for one in again
    ]


@given(st.permutations(range(3)))
def test_the_order_of_arms_changes_no_verdict(order):
    plan, some = finished()
    arms = tuple(replace(plan.space.arms[i], place=place) for place, i in enumerate(order))
    turned = replace(plan, space=replace(plan.space, arms=arms))
    for one, other in zip(
        Results(plan, some).verdicts, Results(turned, some).verdicts, strict=True
    ):
        assert (one.claim.name, one.label, one.result) == (
            other.claim.name,
            other.label,
            other.result,
        )
