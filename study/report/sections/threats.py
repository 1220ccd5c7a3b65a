"""The page's masthead facts, threats, deviations, provenance and table of all runs."""

import math
from collections import Counter
from typing import Any

from study.analysis.forecast import detectable_words
from study.analysis.verdict import Verdict
from study.design.plan import Plan
from study.design.ranges import By, Choice, OneMinus
from study.design.record import Record, final_records, last_line
from study.design.stages import EDGE, Records, chosen_point, expected_trials, standing
from study.text import joined, short


def threats(plan: Plan, records: list[Record], verdicts: list[Verdict]) -> list[str]:
    """What the result is not: the space's own caveats and those that the numbers give."""
    said = [
        f"Its data are {plan.data.get('title', plan.data.get('name', ''))} and its sizes those of the {plan.profile} profile ({plan.sizes.note}). It says nothing of other data or longer training."
    ]
    said += [threat.format(**plan.base) for threat in plan.threats]
    said += dict.fromkeys(
        arm.caveat.format(**{**plan.base, **arm.values}) for arm in plan.running if arm.caveat
    )
    images = plan.data.get("counts", {}).get("test", 0)
    if images and images < 2000:
        said.append(
            f"{images} test images: one image is {100 / images:.2f} points, so the binomial sd of an accuracy sets δ."
        )
    primary = next((verdict for verdict in verdicts if verdict.claim.role == "primary"), None)
    if primary and primary.result.n > 1:
        said.append(detectable_words(plan, primary.result.sd, primary.delta))
    said += at_edges(plan, standing(plan, final_records(records)))
    said += plan.data.get("warnings", [])
    return said + remarks(plan, records)


def at_edges(plan: Plan, records: Records) -> list[str]:
    """Parameters whose chosen value, of an adaptive search, lies in the outer tenth of its range: a wider one might hold better."""
    explore = plan.explore
    point = chosen_point(plan, plan.arm(explore.arm), records) if explore else None
    if explore is None or point is None:
        return []
    near = []
    for name, whole in explore.search.items():
        span = whole.spans[point[whole.parameter]] if isinstance(whole, By) else whole
        if isinstance(span, Choice):
            continue
        value = 1 - point[name] if isinstance(span, OneMinus) else point[name]
        place = math.log(value / span.low) / math.log(span.high / span.low)
        near += [f"{name} {short(point[name])}"] if not EDGE < place < 1 - EDGE else []
    return (
        [
            f"Chosen near an end of what was searched: {', '.join(near)}. A wider range might hold a better setting."
        ]
        if near
        else []
    )


def remarks(plan: Plan, records: list[Record]) -> list[str]:
    """What the task itself said of its final runs, counted by arm."""
    said = []
    for arm in plan.arms:
        ended = [
            record
            for record in standing(plan, final_records(records)).values()
            if (record.stage, record.arm) == ("final", arm.name)
        ]
        spoken = [record for record in ended if record.result.get("remarks")]
        if spoken:
            first = spoken[0].result["remarks"][0]
            said.append(
                f"{len(spoken)} of {len(ended)} final runs of {arm.title} drew a remark; that of seed {spoken[0].seed}: {first}"
            )
    return said


def deviations(plan: Plan, study: dict[str, Any], records: list[Record]) -> list[str]:
    """Where the run departed from the plan, counted from the records."""
    ended = final_records(records)
    final = standing(plan, ended)
    said = enlarged(plan, study, len(ended) - len(final))
    added = Counter(record.arm for record in final.values() if record.stage == "added")
    said += [
        f"{count} search point{' was' if count == 1 else 's were'} added for {plan.arm(arm).title} by the boundary rule, which the plan foresees."
        for arm, count in added.items()
    ]
    for record in records:
        if record.status == "diverged":
            point = ", ".join(f"{name} {short(value)}" for name, value in record.point.items())
            said.append(
                f"Trial {record.trial} ({plan.arm(record.arm).title}, {record.stage}, {point}) diverged. It is in no mean and stays in every count."
            )
    failed = [record for record in records if record.status == "failed"]
    for record in failed:
        again = (
            "was run again with the same seed; both records are kept"
            if record.trial in ended
            else "has not succeeded since"
        )
        said.append(
            f"Trial {record.trial} ({plan.arm(record.arm).title}, {record.stage}) failed and {again}: {last_line(record.error)}."
        )
    expected = expected_trials(plan)
    missing = {
        stage: count - sum(r.stage == stage for r in final.values())
        for stage, count in expected.items()
        if stage != "added"
    }
    said += [
        f"{count} trials of the {stage} stage have not ended."
        for stage, count in missing.items()
        if count > 0
    ]
    said += origins(records)
    if plan.overrides:
        said.append(
            (
                f"Set on the command line, in every stage but where the report’s setting ({plan.replica.row}) says otherwise: "
                if plan.replica.row
                else "Set on the command line, except in arms that have their own: "
            )
            + ", ".join(f"{name} = {value}" for name, value in plan.overrides.items())
            + "."
        )
    if not study.get("changes"):
        said.append(
            "No claim was added after the plan was fixed, and no seed after the results were seen: either would change the plan’s hash."
        )
    return said


def origins(records: list[Record]) -> list[str]:
    """Where records were made, if not all in one place by one program."""
    said = []
    shared = (
        set.intersection(*(set(r.versions) for r in records)) if records else set()
    )  # a machine without Ray names no version of it
    foreign = Counter(record.extra["adopted"] for record in records if "adopted" in record.extra)
    said += [
        f"{count} records were made elsewhere and adopted from {name}."
        for name, count in foreign.items()
    ]
    software = {
        ", ".join(f"{name} {version}" for name, version in r.versions.items() if name in shared)
        for r in records
    }
    if len(software) > 1:
        said.append(
            f"The records come from {len(software)} sets of software versions; each record names its own."
        )
    for what, values in (
        ("commits", {r.commit for r in records}),
        ("devices", {r.device for r in records if r.device}),
    ):
        if len(values) > 1:
            said.append(f"The records come from several {what}: {', '.join(sorted(values))}.")
    return said


def enlarged(plan: Plan, study: dict[str, Any], aside: int) -> list[str]:
    """What was added to the budget after the study began, and what that costs; `aside` records count no longer."""
    changes = study.get("changes", [])
    said = [
        f"The budget was raised {change.get('when', '')}: {'; '.join(change['what'])}."
        for change in changes
        if change["what"]
    ]
    said += [
        f"{joined([plan.arm(name).title for name in change['arrived']])} came in {change.get('when', '')}: what {'it' if len(change['arrived']) == 1 else 'they'} needed was absent before{', and final results of the others had been seen' if change.get('seen') else ''}."
        for change in changes
        if change.get("arrived")
    ]
    if plan.looks > 1:
        rates = [5 / look for look in range(1, plan.looks + 1)]
        said.append(
            f"The budget was raised after final results had been seen. This is look {plan.looks}: its intervals are {100 - rates[-1]:.3g} %, and p must be at most {rates[-1] / 100:.3g}. The looks before were judged at {', '.join(f'{rate:.3g} %' for rate in rates[:-1])}, so that all together call a difference that is not there supported in up to {sum(rates):.3g} % of such studies, not in 5 %."
        )
    if aside:
        said.append(
            f"{aside} runs belong to points that the longer search does not choose, or not yet. They are in the table of all runs and in no mean."
        )
    return said
