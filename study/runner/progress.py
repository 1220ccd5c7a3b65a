"""What a study shows while it runs: a live table on a terminal, else one plain line a trial."""

import io
import math
import time
from collections import Counter
from typing import Any

from ray import tune
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from study.design.plan import Plan
from study.design.record import Record, outcome_words
from study.design.stages import expected_trials, selection_score
from study.design.words import EpochNumber, Words
from study.runner.ray_patches import DriverOnly
from study.runner.searcher import StudySearch
from study.text import format_short

PACED = 6  # trials that ended here, from which on their pace tells the time that is left
LOSS = EpochNumber("loss", "loss")


class Progress(DriverOnly, tune.Callback):
    """Shows what runs, what ended last, and when all of it will have ended."""

    def __init__(self, search: StudySearch) -> None:
        self.plan, self.ledger, self.search = search.plan, search.ledger, search
        arms = search.plan.space.arms
        self.tuned = list(dict.fromkeys(name for arm in arms for name in search.plan.tuned(arm)))
        self.numbers = epoch_numbers(search.plan.words)
        self.console = Console()
        self.live: Live | None = None
        self.printed = self.before = len(self.ledger.records)
        self.started = time.monotonic()
        self.last_epochs: dict[str, dict[str, Any]] = {}  # of running trials, by Tune's id

    def setup(self, *info: Any, **more: Any) -> None:
        """Begin the live table."""
        if self.console.is_terminal:
            self.live = Live(self.make_table(), console=self.console, refresh_per_second=4)
            self.live.start()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Keep the epoch."""
        if "epoch" in result:
            self.last_epochs[trial.trial_id] = result

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Show what is new; after the terminal is closed the study runs without output."""
        try:
            self.show_news()
        except OSError:
            self.console, self.live = Console(file=io.StringIO()), None

    def show_news(self) -> None:
        """Print a line for each trial that ended, or draw the table again; print messages."""
        for record in self.ledger.records[self.printed :]:
            self.printed += 1
            if self.live is None:
                left = f"  [{self.time_left()} left]" if self.printed % 10 == 0 else ""
                line = summary_line(record, self.plan)
                self.print(f"{self.printed:4d}/{self.total()}  {line}{left}")
        while self.search.messages:
            self.print(self.search.messages.pop(0))
        if self.live is not None:
            self.live.update(self.make_table())

    def print(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, highlight=False, soft_wrap=True, markup=False)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """End the live table."""
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was, also after an error."""
        if self.live is not None:
            self.live.update(self.make_table())
            self.live.stop()
            self.live = None

    def total(self) -> int:
        """The trials of the whole study, without the allowance for added ones."""
        counts = Counter(record.stage for record in self.ledger.records if record.is_final)
        expected = {**expected_trials(self.plan), "added": 0}
        return sum(max(count, counts[stage]) for stage, count in expected.items())

    def time_left(self) -> str:
        """The time until the end in words, by the mean of the trials that have ended."""
        ended = [record for record in self.ledger.records if record.seconds]
        left = max(0, self.total() - len(self.ledger.records))
        if not left:
            return "nothing"
        if not ended:
            return "an unknown time"
        seconds = [record.seconds for record in ended]
        new = len(self.ledger.records) - self.before
        if new >= PACED:  # the pace of this run: it knows how busy the machine is
            minutes = (time.monotonic() - self.started) / new * left / 60
        else:
            at_once = max(1, self.search.slots.count())
            minutes = sum(seconds) / len(seconds) * left / at_once / 60
        return f"about {minutes:.0f} min" if minutes >= 1 else "less than a minute"

    def make_table(self) -> Group:
        """The running trials and the last that ended."""
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("trial", "stage", self.plan.space.scientific):
            table.add_column(name)
        for name in ("seed", *self.tuned, "epoch", *(number.title for number in self.numbers)):
            table.add_column(name, justify="right")
        table.add_column(self.plan.space.primary.title, justify="right")
        table.add_column("status")
        for record in self.ledger.records[-5:]:
            row = record.curve[-1] if record.curve else {}
            about = self.about(record.trial, record.stage, record.arm, record.seed, record.point)
            score = self.score(record)
            table.add_row(*about, *self.cells(row), score, record.status, style="dim")
        for tune_id, trial in self.search.running.items():
            row = self.last_epochs.get(tune_id, {})
            about = self.about(trial.id, trial.stage, trial.arm, trial.seed, trial.point)
            table.add_row(*about, *self.cells(row), "", "running")
        return Group(self.headline(), table)

    def about(self, id: str, stage: str, arm: str, seed: int, point: dict[str, Any]) -> list[str]:
        """What a trial is: its first cells."""
        tuned = [format_short(point[name]) if name in point else "-" for name in self.tuned]
        return [id, stage, self.plan.title(arm), str(seed), *tuned]

    def score(self, record: Record) -> str:
        """The primary metric of a trial that ended; a dash where it has none."""
        metric = self.plan.space.primary
        value = record.metric(metric.name) * metric.scale
        return "-" if math.isnan(value) else f"{value:.{metric.decimals}f}"

    def best_words(self) -> str:
        """The best of the search so far; empty before any of it has ended."""
        runs = [one for one in self.ledger.records if one.stage in ("search", "added")]
        runs = [one for one in runs if not math.isnan(one.metric(self.plan.space.primary.name))]
        if not runs:
            return ""
        best = max(runs, key=lambda one: selection_score(self.plan, one))
        point = ", ".join(f"{name} {format_short(value)}" for name, value in best.point.items())
        return (
            f"; best of the search so far: {self.plan.title(best.arm)} {point} {self.score(best)}"
        )

    def headline(self) -> str:
        """How far the study is."""
        stopping = "Stopping after the running epochs. " if self.search.stop.requested else ""
        minutes = (time.monotonic() - self.started) / 60
        return (
            f"{stopping}{len(self.ledger.records)} of {self.total()} trials ended, "
            f"{minutes:.1f} min so far, {self.time_left()} left{self.best_words()}"
        )

    def cells(self, row: dict[str, Any]) -> list[str]:
        """The numbers of an epoch as the table shows them."""
        cells = [str(row.get("epoch", "-"))]
        for number in self.numbers:
            value: Any = row.get(number.name)
            is_number = isinstance(value, int | float)
            cells.append(f"{value * number.scale:.{number.digits}f}" if is_number else "-")
        return cells


def epoch_numbers(words: Words) -> tuple[EpochNumber, ...]:
    """The numbers of an epoch that are shown: the trainer's, and the loss in any case."""
    has_loss = any(number.name == LOSS.name for number in words.live)
    return words.live if has_loss else (LOSS, *words.live)


def summary_line(record: Record, plan: Plan) -> str:
    """An ended trial in a line."""
    outcome = outcome_words(record, plan.space.primary)
    point = ", ".join(f"{name} {format_short(value)}" for name, value in record.point.items())
    return (
        f"{record.trial}  {record.stage:8}{plan.title(record.arm):10} {point:13} "
        f"seed {record.seed:<6d} {outcome}  ({record.seconds:.1f} s)"
    )
