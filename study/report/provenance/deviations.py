"""Where a study departed from its plan, counted from the records."""

from collections import Counter

from study.analysis.forecast import look_lines
from study.analysis.gates.claim_gates import mixed_results
from study.analysis.results import Results
from study.design.plan import ALPHA, Plan
from study.design.record import Record, last_line
from study.design.stages import expected_trials
from study.store.study_file import About, Change
from study.text import count_words, format_short, join_words

UNCHANGED = (
    "No claim was added after the plan was fixed, and no seed after the results were seen: either "
    "would change the plan’s hash."
)


def deviation_lines(results: Results, about: About) -> list[str]:
    """A sentence for each departure; of given runs what was guessed, and rows that do not count."""
    if given := results.plan.given:
        return list(given.notes) or ["Every row counts, and every column was named."]
    return [
        *change_lines(results, about.changes),
        *added_lines(results),
        *failure_lines(results),
        *missing_lines(results),
        *origin_lines(results.records),
        *mixed_lines(results),
        *override_lines(results.plan),
        *([] if about.changes else [UNCHANGED]),
    ]


def change_lines(results: Results, changes: list[Change]) -> list[str]:
    """What was added to the budget after the study began, and what that costs."""
    plan = results.plan
    lines = [
        f"The budget was raised {change.when}: {'; '.join(change.what)}."
        for change in changes
        if change.what
    ]
    lines += [
        f"{count_words(change.early, 'final record')} began before this plan was fixed and may "
        "have been seen: that counts as an analysis of its own."
        for change in changes
        if change.early
    ]
    lines += look_lines(plan)
    lines += [arrival_line(plan, change) for change in changes if change.arrived]
    if plan.interim_analyses > 1:
        lines.append(interim_line(plan))
    if superseded := len(results.final) - len(results.current):
        lines.append(
            f"{superseded} runs belong to points that the longer search does not choose, or not "
            "yet. They are in the table of all runs and in no mean."
        )
    return lines


def arrival_line(plan: Plan, change: Change) -> str:
    """Arms that could be run only later."""
    names = join_words([plan.title(name) for name in change.arrived])
    they = "it" if len(change.arrived) == 1 else "they"
    seen = ", and final results of the others had been seen" if change.seen else ""
    return f"{names} came in {change.when}: what {they} needed was absent before{seen}."


def interim_line(plan: Plan) -> str:
    """What judging results more often than planned costs."""
    last, times = 100 * plan.alpha, plan.interim_analyses - 1
    often = "once" if times == 1 else f"{times} times"
    return (
        f"Final results had been seen, {often}, before this plan or a larger budget. Each time "
        f"adds an analysis to what was planned: intervals are now {100 - last:.3g} %, and p must "
        f"be at most {last / 100:.3g}. All analyses together call a difference that is not there "
        f"supported in up to {100 * plan.total_alpha:.3g} % of such studies, not in "
        f"{100 * ALPHA:g} %."
    )


def added_lines(results: Results) -> list[str]:
    """Search points beyond an edge."""
    added = Counter(run.arm for run in results.current.values() if run.stage == "added")
    counts = [f"{count} for {results.plan.title(arm)}" for arm, count in added.items()]
    if not counts:
        return []
    return [
        "Search points were added by the boundary rule, which the plan foresees: "
        f"{join_words(counts)}."
    ]


def failure_lines(results: Results) -> list[str]:
    """Diverged and failed runs."""
    diverged = [run for run in results.records if run.status == "diverged"]
    failed = [run for run in results.records if run.status == "failed"]
    return [
        *(diverged_line(results.plan, run) for run in diverged),
        *(failed_line(results, run) for run in failed),
    ]


def diverged_line(plan: Plan, run: Record) -> str:
    """A run whose loss left the finite numbers."""
    point = ", ".join(f"{name} {format_short(value)}" for name, value in run.point.items())
    return (
        f"Trial {run.trial} ({plan.title(run.arm)}, {run.stage}, {point}) diverged. It is in no "
        "mean and stays in every count."
    )


def failed_line(results: Results, run: Record) -> str:
    """A run that ended by an error."""
    if run.trial in results.final:
        after = "was run again with the same seed; both records are kept"
    else:
        after = "has not succeeded since"
    return (
        f"Trial {run.trial} ({results.plan.title(run.arm)}, {run.stage}) failed and {after}: "
        f"{last_line(run.error)}."
    )


def missing_lines(results: Results) -> list[str]:
    """Trials that have not ended, by stage."""
    ended = Counter(record.stage for record in results.current.values())
    expected = expected_trials(results.plan).items()
    missing = {stage: count - ended[stage] for stage, count in expected if stage != "added"}
    return [
        f"Not ended of the {stage} stage: {count_words(count, 'trial')}."
        for stage, count in missing.items()
        if count > 0
    ]


def origin_lines(records: list[Record]) -> list[str]:
    """Where records were made, if not all in one place by one program."""
    adopted = Counter(run.extra["adopted"] for run in records if "adopted" in run.extra)
    lines = [
        f"Made elsewhere and adopted from {name}: {count_words(count, 'record')}."
        for name, count in adopted.items()
    ]
    if (sets := count_version_sets(records)) > 1:
        lines.append(
            f"The records come from {sets} sets of software versions; each record names its own."
        )
    commits = {record.commit for record in records}
    devices = {record.device for record in records if record.device}
    return lines + [
        f"The records come from several {what}: {', '.join(sorted(values))}."
        for what, values in (("commits", commits), ("devices", devices))
        if len(values) > 1
    ]


def count_version_sets(records: list[Record]) -> int:
    """How many sets of software made the records, as far as all of them name a version."""
    if not records:
        return 0
    # a machine without Ray names no version of it
    shared = set.intersection(*(set(record.versions) for record in records))
    return len({tuple(sorted((name, r.versions[name]) for name in shared)) for r in records})


def mixed_lines(results: Results) -> list[str]:
    """What ought to be alike in all runs, and is not."""
    mixed = mixed_results(results.plan, results.records)
    return [f"The runs of this study differ in {join_words(mixed)}."] if mixed else []


def override_lines(plan: Plan) -> list[str]:
    """What the command set."""
    if not plan.overrides:
        return []
    if row := plan.space.replica.row:
        where = f"in every stage but where the report’s setting ({row}) says otherwise"
    else:
        where = "except in arms that have their own"
    values = ", ".join(f"{name} = {value}" for name, value in plan.overrides.items())
    return [f"Set on the command line, {where}: {values}."]
