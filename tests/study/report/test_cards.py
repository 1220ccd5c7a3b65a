"""The verdict cards and what stands beside them: scales, short runs, arms that cannot be run."""

import re
from dataclasses import replace

import pytest
import toy as toy_module
from report.test_page import Reader, read, write_study

from study.analysis.results import Results
from study.analysis.statistics import paired
from study.analysis.verdict import Verdict
from study.design.arms import leave_report_out
from study.design.space import Claim
from study.report.page import write_report
from study.report.remedies import what_would_change
from study.report.sections.adaptive_search import caption, read_search
from study.report.sections.claims import claim_cards, shared_ranges
from study.report.terms import explain_terms


def results_of(plan, folder):
    return Results(plan, toy_module.run_all(plan, toy_module.task, folder))


def test_cards_of_one_metric_in_a_group_share_a_scale_that_holds_them_all(finished):
    plan, records = finished
    results = Results(plan, records)
    ranges = shared_ranges(results.verdicts)
    on_loss = [one for one in results.verdicts if one.claim.role in ("replica", "secondary")]
    low, high = ranges["beside", "loss"]
    for verdict in on_loss:
        assert low <= verdict.result.low < verdict.result.high <= high
    assert ranges["primary", "score"] != ranges["family", "score"]


def test_two_pairs_have_no_interval_on_the_page_and_no_band(toy, tmp_path):
    results = results_of(toy.plan(final_seeds=2, replica_seeds=2), tmp_path)
    card = claim_cards(results)["primary"][0]
    assert card.interval == "2 pairs, no interval"
    assert 'class="ci' not in card.svg
    folder = write_study(tmp_path / "results", results.plan, results.records)
    write_report(folder)
    page = read(folder).text
    assert "each seed as a thin line, and their mean" in page
    assert "The bands are pointwise" not in page


def test_three_pairs_have_one(toy, tmp_path):
    card = claim_cards(results_of(toy.plan(final_seeds=3), tmp_path))["primary"][0]
    assert re.fullmatch(r"\[.\d\.\d, \+\d\.\d\]", card.interval)
    assert 'class="ci' in card.svg


def test_the_sides_of_zero_are_named_at_the_ends_of_the_scale(finished):
    svg = claim_cards(Results(*finished))["primary"][0].svg
    assert '<text class="t" x="0" y="128">← favours Red</text>' in svg
    assert '<text class="t e" x="100%" y="128">favours Blue →</text>' in svg


def test_a_claim_about_an_arm_that_cannot_run_here_is_a_line_with_its_reason(finished, tmp_path):
    plan, records = finished
    plan = replace(plan, absent={"green": "paint absent: there is no green paint"})
    records = [one for one in records if one.arm != "green"]
    folder = write_study(tmp_path / "results", plan, records)
    write_report(folder)
    page = (folder / "report.html").read_text()
    line = re.search(r'<p class="note absent" id="claim-green">.*?</p>', page, re.S).group()
    text = Reader(line).text
    assert text.endswith("Green scores higher than red: Green <b> is not run: paint absent.")
    assert '<article class="claim" id="claim-green">' not in page


def verdict_of(differences, family, label="nogain"):
    result = paired(dict(enumerate(differences)), dict.fromkeys(range(len(differences)), 0.0))
    claim = Claim("c", "blue", "red", "score", "final", "family", "c")
    return Verdict(claim, label, result, 0.06, 0.05, family, 0.5, ())


def test_below_zero_as_a_whole_no_delta_is_named_but_what_p_lacks():
    plan, worse = toy_module.plan(), [-3.0, -2.5, -3.5, -2.0, -3.0, -2.8]
    words = what_would_change(plan, verdict_of(worse, family=2))
    assert words.startswith("No δ; for the opposite claim p is too large. With n = 6 no claim")
    assert "(the least is 0.06); more seeds can." in words
    up_to = verdict_of([-3.0, 0.2, -0.4, 0.1, 0.3, 0.2], family=1)
    assert re.match(r"A δ below 0\.\d points", what_would_change(plan, up_to))


def test_what_is_neither_tuned_nor_claimed_of_has_no_rank(finished):
    plan, records = finished
    bare = tuple(replace(arm, search={}) if arm.name == "green" else arm for arm in plan.space.arms)
    claims = tuple(claim for claim in plan.space.claims if claim.name != "green")
    space = replace(plan.space, arms=bare, claims=claims)
    ranking = Results(replace(plan, space=space), records).ranking
    ranked = [ranking.best, *ranking.level, *(one.one for one in ranking.worse)]
    assert {one.arm.name for one in ranked} == {"red", "blue"}


def test_without_the_report_the_setting_is_run_beside_the_search_and_claimed_of_nowhere(toy):
    space = leave_report_out(toy.SPACE)
    assert {claim.stage for claim in space.claims} == {"final"}
    assert "published" not in {claim.role for claim in space.claims}
    assert space.replica.values == toy.SPACE.replica.values
    assert (space.replica.row, space.replica.unknown, space.reported) == ("", (), ())


def test_a_page_without_the_report_has_no_section_on_it(toy, tmp_path):
    plan = toy.plan(space=leave_report_out(toy.SPACE), replica_seeds=0)
    results = results_of(plan, tmp_path)
    folder = write_study(tmp_path / "results", plan, results.records)
    write_report(folder)
    assert not {"then", "four"} & set(read(folder).ids)


def test_terms_are_those_of_the_study_and_of_its_trainer(toy):
    words = replace(toy.WORDS, terms={"Score": "what the toy makes up"})
    terms = explain_terms(replace(toy.plan(), words=words))
    assert terms["Arm"] == "one of the things compared: here a colour"
    assert terms["Score"] == "what the toy makes up"
    assert {"Search", "Holm", "Control"} & set(terms) == set()
    assert "Search" in explain_terms(toy.plan(searches=6, final_seeds=1, confirm_points=0))


def explored(tmp_path, found):
    """The adaptive toy after a search whose best point is `found`, red and blue being one."""
    same = tuple(replace(arm, values={}) for arm in toy_module.EXPLORING.arms)
    red = replace(same[0], default={"mode": "high", "lr": 0.5})
    space = replace(toy_module.EXPLORING, arms=(red, same[1]))
    plan = toy_module.plan(space=space, search_trials=2, confirm_points=1, confirm_seeds=1)
    blue = space.arm("blue")
    other = {"mode": "high", "lr": 0.9}
    return plan, search_records(plan, blue, [found, other], tmp_path)


def search_records(plan, arm, points, folder):
    """The records of a search that tried these points, and of all that follows from it."""
    from study.design.record import final_records
    from study.design.stages import SEARCH_SEED, due_trials, make_trial
    from study.execution.run_trial import run_trial

    records = []

    def run(trial):
        steps = run_trial(toy_module.task, trial, folder / trial.id, "c0ffee")
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                records.append(stop.value)
                return

    for point in points:
        run(make_trial(plan, "search", arm, SEARCH_SEED, point=point))
    while trial := next(
        (t for t in due_trials(plan, final_records(records)) if t.id not in final_records(records)),
        None,
    ):
        run(trial)
    return records


def test_a_search_that_finds_the_reference_again_says_so_and_compares_nothing(tmp_path):
    plan, records = explored(tmp_path, {"mode": "high", "lr": 0.5})
    folder = write_study(tmp_path / "results", plan, records)
    text = write_report(folder).answer
    assert "No: the search found nothing better than Red." in text
    assert "Of its 2 trials the best, confirmed on new seeds, is Red itself." in text
    verdict = Results(plan, records).verdict("primary")
    assert verdict.label == "untestable"
    assert [gate.name for gate in verdict.failed_gates] == ["Search"]


def test_what_a_search_tried_is_counted(tmp_path):
    plan, records = explored(tmp_path, {"mode": "low", "lr": 0.03})
    results = Results(plan, records)
    search = read_search(results)
    assert "1 known point first, 1 at random, none proposed" in caption(search, plan.words)
    assert results.chosen_point(plan.space.arm("blue")) == {"mode": "low", "lr": 0.03}


@pytest.mark.parametrize("fields", [2, 3])
def test_a_point_of_many_fields_is_a_line_and_no_column(tmp_path, fields, monkeypatch):
    from study.report.sections import final_result

    monkeypatch.setattr(final_result, "MOST_FIELDS", fields - 1 if fields == 2 else fields)
    plan, records = explored(tmp_path, {"mode": "low", "lr": 0.03})
    section = final_result.final_section(Results(plan, records))
    if fields == 2:
        assert "Blue: mode low, lr 0.03." in section.settings
        assert not [name for name in section.head if name.startswith("Chosen")]
    else:
        assert section.settings == []
        assert "Chosen mode, lr" in section.head
