"""Judge runs: read them, make a study of them, write its folder and its page."""

import math
import re
from collections import Counter
from contextlib import closing
from pathlib import Path

from study.design.facts import DataFacts
from study.design.given_runs import GivenRuns
from study.design.plan import Plan
from study.design.record import Record
from study.design.space import Arm, Claim, Metric, Profile, Space
from study.design.stages import due_trials
from study.errors import StudyError
from study.judging.columns import (
    Columns,
    choose_columns,
    choose_reference,
    is_lower_better,
    is_share,
    share_scale,
)
from study.judging.mlflow_database import hide_password
from study.judging.select_runs import Run, Selected, select_runs
from study.judging.tables import RunTable, read_runs
from study.options import Options
from study.report.page import HERE, Report, write_report
from study.store.directory import open_study
from study.store.environment import now, versions
from study.store.study_file import About
from study.text import count_words, hide_home, join_words

PROFILE = "given"
MOST_DIGITS = 8  # decimals
POINT = 0.5  # smallest difference of shares that matters unless --delta says otherwise, in points


def judge_runs(options: Options) -> Report:
    """Judge the runs that --judge names; the page and its answer.

    Raises:
        StudyError: the runs cannot be read, a column is not there, or the folder holds something
            else.
    """
    source = options.judge or ""
    table = read_runs(source)
    compare = options.compare[0] if options.compare else None
    if len(options.compare) > 1:
        raise StudyError("--compare takes one column with --judge")
    columns = choose_columns(table.frame, compare=compare, by=options.by, metric=options.metric)
    print("\n".join(columns.guessed), end="\n" if columns.guessed else "", flush=True)
    selected = select_runs(table, columns, options.stage)
    plan = given_plan(source, table, columns, selected, options)
    folder = Path(options.out) if options.out else Path("results") / f"judged-{plan.space.name}"
    about = About(
        program=options.program,
        command=[
            hide_password(word) if "://" in word else word
            for word in (options.lasting_words or command_words(source, columns, options))
        ],
        folder=hide_home(folder.as_posix()),
        versions=versions(),
        commit="",
        created=now(),
    )
    plan, ledger = open_study(folder, plan, about)
    with closing(ledger):
        known = {record.trial for record in ledger.records}
        records = given_records(plan, selected.runs)
        ledger.extend(record for record in records if record.trial not in known)
    return write_report(folder)


def command_words(source: str, columns: Columns, options: Options) -> list[str]:
    """The command that says all that was chosen."""
    words = ["--judge", source, "--compare", columns.compare, "--metric", columns.metric]
    words += ["--by", columns.by] if columns.by else []
    return words + (["--out", options.out] if options.out else [])


def given_plan(
    source: str, table: RunTable, columns: Columns, selected: Selected, options: Options
) -> Plan:
    """The plan of a study whose runs are given.

    Raises:
        StudyError: --reference is none of the arms.
    """
    name, noun = source_name(source), last_part(columns.compare)
    reference, was_named = choose_reference(selected.arms, options.reference)
    metric, direction = given_metric(
        columns.metric, selected, options, table.higher.get(columns.metric)
    )
    arms = given_arms(selected.arms, columns.compare)
    by_title = {arm.title: arm for arm in arms}
    given = GivenRuns(
        source=Path(source).name or source,
        kind=table.kind,
        unit=last_part(columns.by) if selected.paired else "",
        seeds=selected.seeds,
        units=selected.units,
        columns={"compare": columns.compare, "metric": columns.metric, "by": columns.by},
        rows=len(table.frame),
        runs=len(selected.runs),
        notes=table.notes
        + tuple(given_notes(columns, selected, direction, "" if was_named else reference)),
        differing=tuple(selected.differing),
    )
    return Plan(
        space=Space(
            name=name,
            question=given_question(noun, metric, by_title[reference], arms),
            scientific=noun,
            reference=by_title[reference].name,
            arms=arms,
            fixed={},
            stages={"final": {}},
            metrics=(metric,),
            claims=given_claims(by_title[reference], arms, metric),
            profiles={},
            trainer=None,  # type: ignore[arg-type]
        ),
        profile=PROFILE,
        sizes=Profile(dataset=given.source, values={}, final_seeds=len(selected.seeds)),
        base={},
        overrides={},
        data=DataFacts(
            fingerprint=table.sha256,
            name=given.source,
            title=given.source,
            about=given_about(given, selected, noun),
        ),
        given=given,
    )


def given_notes(
    columns: Columns, selected: Selected, direction: str, guessed_reference: str
) -> list[str]:
    """Sentences on what was guessed, and on rows that do not count."""
    return [
        *columns.guessed,
        *(
            [f"The reference is {guessed_reference}; --reference names another."]
            if guessed_reference
            else []
        ),
        *([direction] if direction else []),
        *selected.notes,
    ]


def given_about(
    given: GivenRuns, selected: Selected, noun: str
) -> tuple[tuple[str, str, str], ...]:
    """The facts of the page's head: title, thing, size."""
    counts = Counter(run.arm for run in selected.runs)
    pairs = count_words(len(selected.seeds), given.noun) if selected.paired else "none"
    by = given.columns["by"] if selected.paired else "compared by Welch’s interval"
    return (
        ("Runs", given.source, f"{len(selected.runs)} of {count_words(given.rows, 'row')}"),
        ("Compared", noun, join_words([f"{arm} {count}" for arm, count in counts.items()][:6])),
        ("Paired by", pairs, by),
    )


def source_name(source: str) -> str:
    """A short name of the source, for folders."""
    return slug(Path(source.rstrip("/")).stem) or "runs"


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens of a text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")


def last_part(column: str) -> str:
    """A column's name for people, without what a tool puts before it."""
    bare = re.sub(r"^(config|params|metrics|user_attrs|result|summary|tags)[._]", "", column)
    return bare.replace("_", " ").strip() or column


def given_arms(titles: list[str], column: str) -> tuple[Arm, ...]:
    """The arms, in the order of the table."""
    css = (HERE / "page.css").read_text(encoding="utf-8")
    taken = {*re.findall(r"\.([a-z][\w-]*)", css)}  # a class of the page is no arm's name
    arms = []
    for title in titles:
        base = slug(title) or "arm"
        base = base if base[0].isalpha() and base not in taken else f"arm-{base}"
        name, k = base, 2
        while name in taken:
            name, k = f"{base}-{k}", k + 1
        taken.add(name)
        arms.append(Arm(name, title, {column: title}, {}, {}))
    return tuple(arms)


def given_metric(
    column: str, selected: Selected, options: Options, said: bool | None
) -> tuple[Metric, str]:
    """The metric, and a sentence on what was guessed of it.

    Args:
        said: whether a higher one is better, where the source says so.
    """
    values = [run.value for run in selected.runs if run.status == "finished"]
    check_unit(column, selected)
    higher = options.higher if options.higher is not None else said
    lower = is_lower_better(last_part(column)) if higher is None else not higher
    scale = 0.0 if lower else share_scale(last_part(column), values)
    unit = "points" if scale else "units"
    delta = options.delta if options.delta is not None else POINT if scale else 0.0
    spread = max(values) - min(values) if values else 0.0
    digits = 2 - math.floor(math.log10(spread)) if spread > 0 else 3
    power = digits - 2 if digits > MOST_DIGITS and not scale else 0
    if power:  # numbers too small to be written out
        scale, unit, digits = 10.0**power, f"1e-{power} units", 2
    side, option = ("lower", "--higher") if lower else ("higher", "--lower")
    guessed = []
    if higher is None:
        guessed.append(f"a {side} one is taken to be better ({option} says the opposite)")
    if options.delta is None:
        size = f"{POINT:g} points" if scale else "0, so that any difference counts"
        guessed.append(f"the smallest difference that matters is {size} (--delta)")
    metric = Metric(
        name=column,
        title=last_part(column),
        unit=unit,
        scale=scale or 1.0,
        higher_is_better=not lower,
        delta=delta * (scale if power else 1.0),
        places=None if unit == "points" else min(max(digits, 0), 8),
    )
    return metric, f"Of {metric.title} {join_words(guessed)}." if guessed else ""


def check_unit(column: str, selected: Selected) -> None:
    """Check that a share has one unit: not in one arm a part of 1 and in another percent.

    Raises:
        StudyError: it has two.
    """
    ends = {
        arm: (min(values), max(values))
        for arm in selected.arms
        if (values := [run.value for run in selected.runs if is_of(run, arm)])
    }
    low, high = (choose(ends, key=ends.__getitem__, default="") for choose in (min, max))
    if is_share(last_part(column)) and ends and ends[low][1] <= 1 < ends[high][0]:
        raise StudyError(
            f"{column} must have one unit; that of {low} lies in [0, 1] and that of {high} above "
            "1, as percent does"
        )


def is_of(run: Run, arm: str) -> bool:
    """Whether a run is one of an arm that finished."""
    return (run.arm, run.status) == (arm, "finished")


def given_question(noun: str, metric: Metric, reference: Arm, arms: tuple[Arm, ...]) -> str:
    """What is asked of the runs."""
    if len(arms) == 2:
        other = next(arm for arm in arms if arm is not reference)
        return f"Does {other.title} beat {reference.title} by {metric.title}?"
    return f"Which {noun} has the best {metric.title}?"


def given_claims(reference: Arm, arms: tuple[Arm, ...], metric: Metric) -> tuple[Claim, ...]:
    """Each other arm against the reference: one claim, or a family that shares the error rate."""
    word = "higher" if metric.higher_is_better else "lower"
    return tuple(
        Claim(
            name=f"{arm.name}-over-{reference.name}",
            better=arm.name,
            than=reference.name,
            metric=metric.name,
            stage="final",
            role="primary" if len(arms) == 2 else "family",
            words=f"{arm.title} has a {word} {metric.title} than {reference.title}",
        )
        for arm in arms
        if arm is not reference
    )


def given_records(plan: Plan, runs: list[Run]) -> list[Record]:
    """A record of each run."""
    trials = {(trial.arm, trial.seed): trial for trial in due_trials(plan, {})}
    names = {arm.title: arm.name for arm in plan.space.arms}
    metric = plan.space.primary.name
    return [
        Record(
            trial=trial.id,
            stage=trial.stage,
            arm=trial.arm,
            seed=trial.seed,
            status=run.status,
            config=trial.config,
            point={},
            why="",
            curve=[],
            result={metric: run.value} if run.status == "finished" else {},
            error=f"its state is {run.state}" if run.status == "failed" else "",
            seconds=0.0,
            device="",
            versions={},
            commit="",
            started="",
            ended="",
            extra={"row": run.row},
        )
        for run in runs
        for trial in (trials[names[run.arm], run.seed],)
    ]
