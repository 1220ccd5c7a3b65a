"""A study in its folder, for programs and notebooks: tables, verdicts and figures.

Reading one loads neither the trainer's library nor Ray.
"""

import json
from dataclasses import fields, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from study import api
from study.design.space import Space
from study.errors import StudyError
from study.options import Options, check_kind
from study.planning import choose_profile
from study.report.answer import answer
from study.report.drawing import plotly_chart
from study.report.folder import read_folder
from study.report.levels import level_sentence
from study.report.page import list_panels, make_sections
from study.space_file import checked_space, load_own_space, packages_of, with_own_code
from study.store.directory import default_folder, local_folder
from study.store.flat_files import epoch_rows, trial_rows

# options of the command that run nothing, or that are found: a program has other means
NOT_TO_RUN = {
    "space",
    "plan",
    "report",
    "check",
    "verify",
    "judge",
    "export",
    "compare",
    "reference",
    "by",
    "metric",
    "stage",
    "higher",
    "delta",
    "list",
    "records",
    "at_once",
    "adopt",
    "words",
    "program",
    "code",
    "modules",
}


class Study:
    """A study that was run, or is running: what its folder holds when it is opened.

    Attributes:
        folder: where it is.
        results: everything that the page is made of.
    """

    def __init__(self, folder: str | Path) -> None:
        """Read a study's folder.

        Raises:
            StudyError: it holds none, or its records are damaged.
        """
        if not isinstance(folder, str | Path):
            raise StudyError(f"a study's folder must be a path; got {folder!r}")
        self.folder = Path(folder)
        self.results = read_folder(self.folder).results

    @classmethod
    def open(cls, folder: str | Path) -> "Study":
        """The study of a folder, as "results/optimizers-quick".

        Raises:
            StudyError: it holds none, or its records are damaged.
        """
        return cls(folder)

    @classmethod
    def run(cls, space: Space | str | Path, **options: Any) -> "Study":
        """Run or resume a study as the command does, and open it.

        Args:
            space: a SPACE, as that of search_spaces.optimizers, a Python file that holds one, or
                its name as "search_spaces.optimizers:SPACE".
            options: fields of `study.options.Options` that run trials: profile="quick",
                dataset="photos", out="mine", searches=8, set={"epochs": 4} and so on.

        Raises:
            StudyError: the options, the data or the folder are wrong.
        """
        own = str(space) if isinstance(space, str | Path) else ""
        chosen = load_own_space(own) if own else checked_space("space", space)
        plain = make_options(options)
        profile = choose_profile(chosen, plain)
        words = ("--space", own) if own else ()
        plain = replace(plain, profile=profile, words=words, code=packages_of(chosen))
        plain = with_own_code(plain, own) if own else plain
        code = api.run_study(chosen, plain)
        usual = chosen.profiles[profile].dataset
        dataset = plain.dataset if plain.dataset != usual else None
        folder = default_folder(chosen.name, profile, dataset)
        study = cls(local_folder(plain.out) if plain.out else folder)
        if code:
            print("Some trials have not ended; run it again to continue.")
        return study

    @property
    def answer(self) -> str:
        """What the page answers, and the levels that it rests on."""
        first = " ".join(answer(self.results))
        return " ".join(filter(None, (first, level_sentence(self.results))))

    @property
    def report(self) -> Path:
        """The page; `study.api.write_page` draws it again."""
        return self.folder / "report.html"

    @cached_property
    def plan(self) -> pd.DataFrame:
        """The arms: what each is, between which values it is searched, and how often."""
        plan = self.results.plan
        rows = [
            {
                "arm": arm.name,
                "title": arm.title,
                **{f"{name} from": span.low for name, span in arm.search.items()},
                **{f"{name} to": span.high for name, span in arm.search.items()},
                "searches": plan.sizes.searches if plan.tuned(arm) else 0,
                "trials": plan.sizes.search_trials if plan.tuned(arm) else 0,
                "reference": arm.name == plan.space.reference,
            }
            for arm in plan.running
        ]
        return pd.DataFrame(rows).set_index("arm")

    @cached_property
    def records(self) -> pd.DataFrame:
        """One row a trial that has ended: its fields as config.NAME, its result as result.NAME."""
        rows = [row for record in self.results.records for row in trial_rows(record)]
        return pd.DataFrame(rows)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """One row an epoch of each trial."""
        return pd.DataFrame([row for one in self.results.records for row in epoch_rows(one)])

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """One row a claim: its label, the difference in the metric's unit, and what it rests on."""
        space = self.results.plan.space
        rows = [
            {
                "claim": one.claim.name,
                "role": one.claim.role,
                "words": one.claim.words,
                "label": one.label,
                "metric": one.claim.metric,
                "unit": space.metric(one.claim.metric).unit,
                "mean": one.result.mean,
                "low": one.result.low,
                "high": one.result.high,
                "level": one.result.level,
                "n": one.result.n,
                "p": one.p,
                "alpha": one.alpha,
                "delta": one.delta,
                "failed_gates": "; ".join(gate.reason for gate in one.failed_gates),
            }
            for one in self.results.verdicts
        ]
        return pd.DataFrame(rows).set_index("claim")

    @cached_property
    def _panels(self) -> dict[str, Any]:
        """The panels by their names, and by those of their sections, whose first one it is."""
        sections = {k: v for k, v in make_sections(self.results, self.folder).items() if v}
        panels: dict[str, Any] = {}
        for id, section in sections.items():
            own = list_panels([section])
            panels |= {id: own[0]} if own else {}
            panels |= {panel.id: panel for panel in own}
        return panels

    @property
    def figures(self) -> list[str]:
        """The names of the figures; `figure` also takes those of sections, as "final"."""
        return list(dict.fromkeys(panel.id for panel in self._panels.values()))

    def figure(self, name: str) -> Any:
        """A figure of the page as a `plotly.graph_objects.Figure`.

        Args:
            name: of the figure, or of a section of the page as "final", "rate" or "loss", whose
                first figure it is.

        Raises:
            StudyError: there is no such figure.
        """
        if not isinstance(name, str) or name not in self._panels:
            raise StudyError(f"figure takes {', '.join(self._panels) or 'none yet'}; got {name!r}")
        return plotly_chart(self.results.plan, self._panels[name])

    def _repr_html_(self) -> str:
        """The answer and the verdicts, for a notebook."""
        head, *rest = answer(self.results)
        table = self.verdicts[["words", "label", "mean", "low", "high", "unit", "n", "p"]].copy()
        table["label"] = [one.title for one in self.results.verdicts]
        shown = table.to_html(index=False, float_format=lambda value: f"{value:.3g}", border=0)
        levels = level_sentence(self.results)
        return (
            f"<h3>{escape(self.results.plan.question)}</h3><p><b>{escape(head)}</b> "
            f"{escape(' '.join(rest))}</p><p>{escape(levels)}</p>{shown}"
            f"<p>{len(self.results.records)} trials in {escape(str(self.folder))}</p>"
        )

    def __repr__(self) -> str:
        return f"Study({str(self.folder)!r}): {self.answer}"


def make_options(given: dict[str, Any]) -> Options:
    """The options of a program, which may give set and range as dicts, and numbers as numbers.

    Raises:
        StudyError: a name is none of an option, or an option cannot be meant.
    """
    known = [field.name for field in fields(Options) if field.name not in NOT_TO_RUN]
    values = dict(given)
    if unknown := [name for name in values if name not in known]:
        raise StudyError(f"options are {', '.join(known)}; got {unknown[0]!r}")
    for name in ("set", "range"):
        if isinstance(pairs := values.get(name), dict):
            values[name] = tuple(pair_text(name, key, value) for key, value in pairs.items())
    for name, value in values.items():
        check_kind(name, value)
    for name in ("out", "trials", "dataset", "weights"):
        values |= {name: str(values[name])} if values.get(name) is not None else {}
    for name in ("set", "range"):
        values |= {name: tuple(values[name])} if name in values else {}
    if "data_dir" in values:
        values["data_dir"] = Path(values["data_dir"])
    return Options(**values)


def pair_text(name: str, key: object, value: object) -> str:
    """A pair of set or range as the command has it.

    Raises:
        StudyError: the value is none of its kind.
    """
    if name == "range" and isinstance(value, tuple | list) and len(value) == 2:
        return f"{key}={value[0]}..{value[1]}"
    if isinstance(value, str):
        return f"{key}={value}"
    if name == "set" and isinstance(value, int | float):
        return f"{key}={json.dumps(value)}"
    kind = "a pair (low, high)" if name == "range" else "a word, a number, True or False"
    raise StudyError(f"{key} in {name} must be {kind}; got {value!r}")
