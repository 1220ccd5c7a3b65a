"""A study for programs and notebooks: run, opened, read as tables, drawn; reading loads no torch and no Ray."""

import os
import subprocess
import sys
from pathlib import Path

import plotly.graph_objects as go
import pytest
import toy
from report.test_page import write_study

from study import Study, StudyError
from study.report.page import write_report
from study.saved import make_options

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(finished, tmp_path):
    return Study.open(write_study(tmp_path / "results", *finished))


def test_tables_hold_what_the_page_is_made_of(study):
    assert study.plan.loc["red", ["lr from", "lr to", "trials", "reference"]].tolist() == [
        1e-3,
        1.0,
        5,
        True,
    ]
    assert len(study.records) == len(study.results.records)
    assert set(study.records["config.colour"]) == {"red", "blue", "green"}
    assert len(study.epochs) == sum(len(record.curve) for record in study.results.records)
    verdict = study.results.verdict("primary")
    row = study.verdicts.loc["main"]
    assert (row["label"], row["mean"], row["low"], row["n"]) == (
        verdict.label, verdict.result.mean, verdict.result.low, verdict.result.n,
    )  # fmt: skip
    assert list(study.verdicts.index) == ["main", "published", "replica", "loss", "green"]


def test_the_answer_is_the_pages_and_a_notebook_shows_it_escaped(study):
    assert study.answer == write_report(study.folder).answer
    assert study.report.exists()
    html = study._repr_html_()
    assert "Blue scores higher than red" in html
    assert "Does blue beat red?" in html
    assert study.answer in repr(study)


def test_figures_go_by_their_own_name_or_their_sections(study):
    for name in study.figures:
        assert isinstance(study.figure(name), go.Figure)
    assert study.figure("final") == study.figure("final-level")
    assert study.figure("final").layout.title.text
    with pytest.raises(StudyError, match=r"figure takes then, .*final, .*; got 'nothing'"):
        study.figure("nothing")


def test_a_folder_without_a_study_is_a_sentence(tmp_path):
    with pytest.raises(StudyError, match="holds no study"):
        Study.open(tmp_path)


def test_options_are_those_of_the_command_with_numbers_as_numbers():
    options = make_options(
        {
            "set": {"epochs": 2, "fast": True, "arms": "a,b"},
            "range": {"a": (0.1, 1)},
            "trials": 3,
            "out": Path("x"),
        }
    )
    assert options.set == ("epochs=2", "fast=true", "arms=a,b")
    assert (options.range, options.search_trials, options.out) == (("a=0.1..1",), 3, "x")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"epochs": 2}, "options are profile, .*; got 'epochs'"),
        ({"plan": True}, "options are profile, .*; got 'plan'"),
        ({"set": "epochs=2"}, "set must be a list of words; got 'epochs=2'"),
        (
            {"set": {"epochs": [1]}},
            r"epochs in set must be a word, a number, True or False; got \[1\]",
        ),
        ({"range": {"sgd": 3}}, r"sgd in range must be a pair \(low, high\); got 3"),
        ({"searches": "3"}, "searches must be a whole number; got '3'"),
        ({"searches": True}, "searches must be a whole number; got True"),
        ({"max_hours": None}, "max_hours must be a number; got None"),
        ({"profile": 3}, "profile must be a word; got 3"),
        ({"dataset": ""}, "--dataset must be a word without NUL bytes; got ''"),
    ],
)
def test_options_of_another_kind_are_a_sentence(given, sentence):
    with pytest.raises(StudyError, match=sentence):
        make_options(given)


def test_other_things_than_spaces_folders_and_names_of_figures_are_a_sentence(study):
    with pytest.raises(StudyError, match=r"a study's folder must be a path; got None"):
        Study.open(None)
    with pytest.raises(StudyError, match=r"figure takes .*; got None"):
        study.figure(None)
    with pytest.raises(StudyError, match=r"space must hold a SPACE, .*; got 3"):
        Study.run(3)
    with pytest.raises(
        StudyError, match=r"--space must name a Python file .*; optimizers is no file"
    ):
        Study.run("optimizers")
    with pytest.raises(StudyError, match="profile must be one of quick; got 'huge'"):
        Study.run(toy.SPACE, profile="huge")


def test_reading_loads_neither_torch_nor_ray(study):
    code = f"from study import Study; s = Study.open({str(study.folder)!r}); s.verdicts; s.figure('final'); s._repr_html_()"
    code += "; import sys; print({'torch', 'ray', 'moco'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@pytest.mark.slow
def test_a_study_is_run_continued_and_refused_from_python(tmp_path):
    code = f"""
from study import Study, StudyError
words = dict(out="mine", searches=2, trials=1)
study = Study.run({str(ROOT / "examples" / "my_space.py")!r}, **words)
before = len(study.records)
again = Study.run({str(ROOT / "examples" / "my_space.py")!r}, **words)
print(before == len(again.records) > 5, study.folder)
try:
    Study.run({str(ROOT / "examples" / "my_space.py")!r}, set={{"epochs": 9}}, **words)
except StudyError as problem:
    print(problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert "True mine" in done.stdout, done.stderr
    assert "mine holds a study with another plan" in done.stdout
