"""Sections of the page as values: titles, tables and panels without the page around them."""

from dataclasses import replace

import pytest

from study.analysis.results import Results
from study.report.sections.adaptive_search import search_section
from study.report.sections.fairness import fairness_section
from study.report.sections.final_result import final_section
from study.report.sections.learning_rate import rate_section
from study.report.sections.loss_accuracy import loss_section, strength
from study.report.sections.ordered_parameter import ordered_section
from study.report.sections.tuning_budget import budget_section

OF_RESULTS = (final_section, rate_section, loss_section, budget_section)


def with_space(results, **changes):
    space = replace(results.plan.space, **changes)
    return Results(replace(results.plan, space=space), results.records)


@pytest.fixture
def results(finished):
    return Results(*finished)


@pytest.fixture
def one_metric(results):
    metric = results.plan.space.primary
    claims = tuple(c for c in results.plan.space.claims if c.metric == metric.name)
    return with_space(results, metrics=(metric,), claims=claims, collapse=None)


def test_before_a_run_has_finished_no_section_shows_a_result(results):
    empty = Results(results.plan, [])
    assert [section(empty) for section in OF_RESULTS] == [None] * 4
    assert search_section(empty) is None
    assert ordered_section(empty) is None


def test_a_study_with_one_metric_has_every_section_but_that_on_the_loss(one_metric):
    final = final_section(one_metric)
    assert final.head[-3:] == ["Min", "Max", "At default, validation"]
    assert "further metrics" not in final.figure.caption
    assert rate_section(one_metric).panels
    assert budget_section(one_metric).panels
    assert "collapsed" not in fairness_section(one_metric).figure.caption
    assert loss_section(one_metric) is None


def test_the_loss_is_not_compared_with_itself(results):
    loss = results.plan.space.metric("loss")
    claims = tuple(c for c in results.plan.space.claims if c.metric == "loss")
    assert loss_section(with_space(results, metrics=(loss,), claims=claims)) is None


def test_every_row_of_a_table_is_as_wide_as_its_head(results):
    for section in (make(results) for make in OF_RESULTS):
        table = section.figure.table
        assert {len(row) for row in table.rows} == {len(table.head)}
    final = final_section(results)
    assert {len(row.cells) + 1 for row in final.rows} == {len(final.head)}


def test_a_seed_fixes_what_the_trainer_says(results):
    words = replace(results.plan.words, seed="the weather")
    other = Results(replace(results.plan, words=words), results.records)
    assert "A seed fixes the weather, so that" in final_section(other).figure.caption


def test_a_correlation_is_told_in_words():
    words = [strength(rank) for rank in (0.1, -0.8, 0.6, 0.9)]
    assert words == ["hardly", "backwards", "in part", "well"]
