"""What a study shows while it runs: its columns are the trainer's words."""

import io
from types import SimpleNamespace

from rich.console import Console

from study.design.words import EpochNumber, Words
from study.execution.run_trial import make_record
from study.runner.progress import Progress, epoch_numbers, summary_line


class Search:
    """A search of which one trial runs and one has failed."""

    def __init__(self, plan, ended, running):
        self.plan, self.running, self.messages = plan, {"tune-1": running}, []
        self.ledger = SimpleNamespace(records=[ended])
        self.slots = SimpleNamespace(count=lambda: 2)
        self.stop = SimpleNamespace(requested=False)


def make_search(toy):
    plan = toy.plan()
    first, second = toy.due_trials(plan, {}), toy.due_trials(plan, {})
    next(second)
    return Search(plan, make_record(next(first), "failed", "", error="it broke."), next(second))


def test_the_live_table_has_the_columns_that_the_trainer_names(toy):
    progress = Progress(make_search(toy))
    row = {"epoch": 2, "loss": 1.23456, "progress": 0.456}
    progress.on_trial_result(1, [], SimpleNamespace(trial_id="tune-1"), row)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(progress.make_table())
    lines = console.export_text().splitlines()
    titles = " ".join(lines[1].split())
    assert titles == "trial stage colour seed lr epoch loss progress, % score status"
    assert lines[2].split()[-6:] == ["0.9", "-", "-", "-", "-", "failed"]
    assert lines[3].split()[-5:] == ["0.9", "2", "1.235", "45.6", "running"]


def test_the_headline_names_the_best_of_the_search_and_the_table_each_score(toy, tmp_path):
    search = make_search(toy)
    records = toy.run_all(search.plan, toy.task, tmp_path, limit=24)
    search.ledger.records = records
    progress = Progress(search)
    searched = [one for one in records if one.stage in ("search", "added")]
    best = max(searched, key=lambda one: one.metric("score"))
    words = f"best of the search so far: {search.plan.title(best.arm)} lr {best.point['lr']:.3g} "
    assert words + f"{100 * best.metric('score'):.1f}" in progress.headline()
    assert progress.score(best) == f"{100 * best.metric('score'):.1f}"


def test_the_time_left_follows_the_pace_once_trials_have_ended_here(toy, tmp_path):
    search = make_search(toy)
    records = toy.run_all(search.plan, toy.task, tmp_path, limit=20)
    progress = Progress(search)  # one has ended before
    search.ledger.records += records
    progress.started -= 20 * 60  # a minute each, whatever the trials themselves took
    assert progress.time_left() == f"about {progress.total() - 21:.0f} min"


def test_the_loss_is_shown_once_whether_the_trainer_names_it_or_not():
    speed = EpochNumber("speed", "items/s")
    assert [number.name for number in epoch_numbers(Words(live=(speed,)))] == ["loss", "speed"]
    loss = EpochNumber("loss", "cross entropy")
    assert epoch_numbers(Words(live=(speed, loss))) == (speed, loss)


def test_a_failed_trial_is_told_with_the_last_line_of_its_error(toy):
    search = make_search(toy)
    (record,) = search.ledger.records
    assert "failed: it broke  (0.0 s)" in summary_line(record, search.plan)
