"""--until-decided, from the command to the page; trials run one after the other, without Ray."""

import json
from pathlib import Path

import pytest

import run_study
from study import api
from study.design.record import final_records
from study.design.stages import due_trials
from study.execution.run_trial import run_trial

TOY = str(Path(__file__).parent / "toy.py")


@pytest.fixture(autouse=True)
def without_ray(monkeypatch):
    def run_here(planned, ledger):
        plan, train = planned.plan, planned.plan.space.trainer.train
        while True:
            done = final_records(ledger.records)
            left = [trial for trial in due_trials(plan, done) if trial.id not in done]
            if not left:
                return True
            steps = run_trial(train, left[0], planned.folder / "trials" / left[0].id, "c0ffee")
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    ledger.append(end.value)
                    break

    monkeypatch.setattr(api, "run_on_ray", run_here)


def run(folder, *words, most=12, gain=0.0):
    own = ["--until-decided", str(most), "--set", f"gain={gain}"]
    return run_study.main(["--space", TOY, *own, "--out", str(folder), *words])


def seeds_of(folder):
    lines = (folder / "records.jsonl").read_text().splitlines()
    return len({r["seed"] for r in map(json.loads, lines) if r["stage"] == "final"})


def test_an_undecided_study_goes_on_to_its_last_analysis(tmp_path, capsys):
    assert run(tmp_path) == 0
    text = capsys.readouterr().out
    assert "Undecided at 7 seeds; going on to 12, as planned." in text
    assert seeds_of(tmp_path) == 12
    values = json.loads((tmp_path / "study.json").read_text())
    assert values["plan"]["sizes"]["looks"] == [7, 12]
    assert values["plan"]["interim_analyses"] == 1  # a planned analysis is no other look
    page = (tmp_path / "report.html").read_text()
    assert "97.5 % interval, n = 12 pairs" in page  # 5 % over two analyses
    assert "the primary claim in at most 5 %" in page


def test_a_decided_study_ends_at_once(tmp_path, capsys):
    assert run(tmp_path, gain=9.0) == 0
    assert "going on" not in capsys.readouterr().out
    assert seeds_of(tmp_path) == 7


def test_it_goes_on_where_it_was_stopped(tmp_path, capsys, monkeypatch):
    whole = api.run_on_ray
    stops = iter([False, True])
    with monkeypatch.context() as patched:
        patched.setattr(api, "run_on_ray", lambda *args: whole(*args) if not next(stops) else False)
        assert run(tmp_path) == 130  # stopped as the second analysis's runs begin
    assert seeds_of(tmp_path) == 7
    assert run(tmp_path) == 0
    assert seeds_of(tmp_path) == 12
    assert "going on" not in capsys.readouterr().out.partition("continuing")[2]


def test_its_analyses_are_fixed_before_the_first_run(tmp_path, capsys):
    assert run(tmp_path) == 0
    assert run(tmp_path, most=20) == 2
    text = capsys.readouterr().err
    assert "looks was [7, 12]" in text
    assert "the analyses of --until-decided are fixed before the first run" in text


def test_too_few_for_another_analysis_is_a_sentence(tmp_path, capsys):
    assert run(tmp_path, most=7) == 2
    assert "--until-decided must be 8 or more" in capsys.readouterr().err
