"""--until-decided, from the command to the page; trials run one after the other, without Ray."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import toy

import run_study
from study import api, planning
from study.design.record import final_records
from study.design.stages import due_trials
from study.execution.run_trial import run_trial
from study.options import Options
from study.space_file import load_space_file
from study.store.directory import preview_plan

TOY = str(Path(__file__).parent / "toy.py")


@pytest.fixture(autouse=True)
def without_ray(monkeypatch):
    def run_here(planned, ledger):
        plan, train = planned.plan, planned.plan.space.trainer.train
        while True:
            done = final_records(ledger.records)
            left = [trial for trial in due_trials(plan, done) if trial.id not in done]
            if not left:
                return True, False  # complete, no signal came
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
    assert "the primary claim in about 5 %" in page


def test_a_decided_study_ends_at_once(tmp_path, capsys):
    assert run(tmp_path, gain=9.0) == 0
    assert "going on" not in capsys.readouterr().out
    assert seeds_of(tmp_path) == 7


def test_a_signal_after_the_last_trial_of_an_analysis_ends_the_study_there(
    tmp_path, capsys, monkeypatch
):
    whole = api.run_on_ray
    with monkeypatch.context() as patched:
        patched.setattr(api, "run_on_ray", lambda *args: (whole(*args)[0], True))
        assert run(tmp_path) == 130
    assert "Stopped before that." in capsys.readouterr().err
    assert seeds_of(tmp_path) == 7
    assert run(tmp_path) == 0
    assert seeds_of(tmp_path) == 12


def test_it_goes_on_where_it_was_stopped(tmp_path, capsys, monkeypatch):
    whole = api.run_on_ray
    stops = iter([False, True])
    with monkeypatch.context() as patched:
        patched.setattr(
            api, "run_on_ray", lambda *args: whole(*args) if not next(stops) else (False, True)
        )
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


def test_most_is_bound_as_the_seeds_are(tmp_path, capsys):
    assert run(tmp_path, most=2000) == 2
    assert "the final stage takes at most 1000 seeds" in capsys.readouterr().err


def test_its_time_is_that_of_all_analyses_together(tmp_path, capsys, monkeypatch):
    whole, given = api.run_on_ray, []

    def run_within(planned, ledger):
        given.append(planned.options.max_hours)
        return whole(planned, ledger)

    monkeypatch.setattr(api, "run_on_ray", run_within)
    assert run(tmp_path / "long", "--max-hours", "1") == 0
    assert given[0] == 1 > given[1] > 0.9
    assert run(tmp_path / "short", "--max-hours", "1e-9") == 130
    assert seeds_of(tmp_path / "short") == 7
    assert "Stopped at the end of the time." in capsys.readouterr().err


def test_a_study_by_trials_as_data_goes_on_as_well(tmp_path, capsys):
    study, trials = str(tmp_path / "study"), tmp_path / "study" / "trials.jsonl"
    assert run(study, "--plan") == 0
    counts = []
    for turn in range(6):
        records = tmp_path / f"{turn}.jsonl"
        words = ["--space", TOY, "--trials", str(trials), "--records", str(records)]
        assert run_study.main(words) == 0
        assert run(study, "--plan", "--adopt", str(records)) == 0
        counts.append(seeds_of(tmp_path / "study"))
        if not trials.read_text():
            break
    assert counts[-1] == 12
    assert 7 in counts
    text = capsys.readouterr().out
    assert text.count("Undecided at 7 seeds; going on to 12, as planned.") == 1
    assert "0 trials can run now" in text


def test_beyond_the_last_planned_analysis_is_one_more(tmp_path, capsys):
    assert run(tmp_path) == 0
    words = ["--space", TOY, "--set", "gain=0.0", "--out", str(tmp_path), "--seeds"]
    assert run_study.main([*words, "12"]) == 2  # without --until-decided it is another study
    assert run_study.main([*words, "14"]) == 0
    assert seeds_of(tmp_path) == 14
    values = json.loads((tmp_path / "study.json").read_text())
    assert values["plan"]["sizes"]["looks"] == [7, 12]
    assert values["plan"]["interim_analyses"] == 2
    page = (tmp_path / "report.html").read_text()
    assert "Final results had been seen, once, before this plan" in page
    assert "intervals are now 98.3 %" in page
    assert "in up to 6.67 % of such studies, not in 5 %" in page


def test_it_may_be_extended_in_every_way_and_goes_on_by_the_same_command(tmp_path, capsys):
    assert run(tmp_path, "--trials", "3") == 0
    assert run(tmp_path, "--trials", "4") == 0  # a larger budget after the last analysis
    assert run(tmp_path, "--trials", "4", "--seeds", "14") == 0  # and beyond it
    assert run(tmp_path, "--trials", "4") == 0  # the command as before goes on where it stands
    assert seeds_of(tmp_path) == 14
    values = json.loads((tmp_path / "study.json").read_text())
    assert values["plan"]["interim_analyses"] == 3
    page = (tmp_path / "report.html").read_text()
    assert "Final results had been seen, 2 times, before this plan or a larger budget." in page
    assert "Until decided: planned at 7 and 12 seeds." in page


def test_the_preview_of_a_larger_budget_counts_the_analysis_that_it_costs(tmp_path, capsys):
    assert run(tmp_path) == 0
    options = Options(space=TOY, out=str(tmp_path), set=("gain=0.0",), seeds=14)
    raised = planning.plan_study(load_space_file(Path(TOY)), options).plan
    begun, belongs, _ = preview_plan(tmp_path, raised)
    assert (begun.interim_analyses, begun.analyses, belongs) == (2, 3, True)


def test_repeated_searches_take_more_seeds_as_well(tmp_path):
    sizes = toy.plan(searches=9, final_seeds=1, looks=(7, 9)).sizes
    asked = replace(sizes, searches=6, final_seeds=2, looks=())
    assert planning.sizes_of_analyses(asked, sizes, 9) == replace(sizes, final_seeds=2)
    assert planning.sizes_of_analyses(replace(asked, searches=12), sizes, None).looks == (7, 9)
    assert planning.sizes_of_analyses(asked, sizes, None).looks == ()
