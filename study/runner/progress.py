"""What a study shows while it runs: a live table on a terminal, one plain line a trial elsewhere."""

import io
import time
from collections import Counter
from typing import Any

from ray import tune
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from study.design.plan import Plan
from study.design.record import Record
from study.design.stages import expected_trials
from study.runner.searcher import StudySearch
from study.text import short


class Progress(tune.Callback):
    """Follows Tune's loop; draws what runs, what ended last, and when all of it will have ended."""

    def __init__(self, search: StudySearch) -> None:
        self.plan, self.ledger, self.search = search.plan, search.ledger, search
        self.console = Console()
        self.live: Live | None = None
        self.told = len(self.ledger.records)
        self.started = time.monotonic()
        self.epochs: dict[
            str, dict[str, Any]
        ] = {}  # the last epoch of each running trial, by Tune's id

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles callbacks when it is set up; this one draws where it was made

    def setup(self, *info: Any, **more: Any) -> None:
        """Begins the live table."""
        if self.console.is_terminal:
            self.live = Live(self.table(), console=self.console, refresh_per_second=4)
            self.live.start()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Keeps the epoch."""
        if "epoch" in result:
            self.epochs[trial.trial_id] = result

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Redraws, or tells of each trial that ended; where no one listens any more the study goes on unheard."""
        try:
            self.tell()
        except OSError:
            self.console, self.live = Console(file=io.StringIO()), None

    def tell(self) -> None:
        """Says what is new."""
        for record in self.ledger.records[self.told :]:
            self.told += 1
            if self.live is None:
                left = f"  [{self.eta()} left]" if self.told % 10 == 0 else ""
                self.console.print(
                    f"{self.told:4d}/{self.total()}  {line(record, self.plan)}{left}",
                    highlight=False,
                    soft_wrap=True,
                    markup=False,
                )
        while self.search.notes:
            self.console.print(
                self.search.notes.pop(0), highlight=False, soft_wrap=True, markup=False
            )
        if self.live is not None:
            self.live.update(self.table())

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Ends the live table."""
        self.close()

    def close(self) -> None:
        """Leaves the terminal as it was, also after an error."""
        if self.live is not None:
            self.live.update(self.table())
            self.live.stop()
            self.live = None

    def total(self) -> int:
        """The trials of the whole study, the allowance for added ones left out."""
        counts = Counter(record.stage for record in self.ledger.records if record.is_final)
        expected = expected_trials(self.plan)
        return sum(
            max(count if stage != "added" else 0, counts[stage])
            for stage, count in expected.items()
        )

    def eta(self) -> str:
        """Minutes left, from the trials that ended in this run of the command."""
        seconds = [record.seconds for record in self.ledger.records if record.seconds]
        left = max(0, self.total() - len(self.ledger.records))
        if not left:
            return "nothing"
        if not seconds:
            return "an unknown time"
        minutes = sum(seconds) / len(seconds) * left / max(1, self.search.places.now()) / 60
        return f"about {minutes:.0f} min" if minutes >= 1 else "less than a minute"

    def table(self) -> Group:
        """The running trials and the last that ended."""
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in (
            "trial",
            "stage",
            self.plan.scientific,
            "seed",
            "epoch",
            "loss",
            "kNN, %",
            "status",
        ):
            table.add_column(
                name,
                justify="left"
                if name in ("trial", "stage", self.plan.scientific, "status")
                else "right",
            )
        for record in self.ledger.records[-5:]:
            last = record.curve[-1] if record.curve else {}
            table.add_row(
                *cells(
                    record.trial, record.stage, self.plan.arm(record.arm).title, record.seed, last
                ),
                record.status,
                style="dim",
            )
        for tune_id, trial in self.search.running.items():
            row = self.epochs.get(tune_id, {})
            table.add_row(
                *cells(trial.id, trial.stage, self.plan.arm(trial.arm).title, trial.seed, row),
                "running",
            )
        minutes = (time.monotonic() - self.started) / 60
        stopping = "Stopping after the running epochs. " if self.search.stop.wanted else ""
        head = f"{stopping}{len(self.ledger.records)} of {self.total()} trials ended, {minutes:.1f} min so far, {self.eta()} left"
        return Group(head, table)


def cells(trial: str, stage: str, arm: str, seed: int, row: dict[str, Any]) -> tuple[str, ...]:
    """A table row without its status."""
    knn = row.get("knn_accuracy")
    return (
        trial,
        stage,
        arm,
        str(seed),
        str(row.get("epoch", "-")),
        f"{row['loss']:.3f}" if "loss" in row else "-",
        f"{100 * knn:.1f}" if knn else "-",
    )


def line(record: Record, plan: Plan) -> str:
    """One ended trial in words."""
    metric = plan.metrics[0]
    point = ", ".join(f"{name} {short(value)}" for name, value in record.point.items())
    told = (
        f"{metric.title} {record.metric(metric.name) * metric.scale:.1f}"
        if record.status == "finished"
        else record.status
    )
    if record.status == "failed":
        told += (
            f": {record.error.strip().splitlines()[-1] if record.error.strip() else 'no message'}"
        )
    return f"{record.trial}  {record.stage:8}{plan.arm(record.arm).title:10} {point:13} seed {record.seed:<4d}{told}  ({record.seconds:.1f} s)"
