"""The page's masthead facts, threats, deviations, provenance and table of all runs."""

import math
import statistics
from collections import Counter
from datetime import datetime
from typing import Any

from study.drawings import digits
from study.panel import capital, joined, number, short
from study.plan import SEARCH_SEED, Plan, tuned
from study.record import Record, final_records, last_line
from study.sentences import detectable_words
from study.space import By, Choice, OneMinus
from study.stages import EDGE, Records, chosen_point, expected_trials, is_finished, standing
from study.verdict import Verdict


def meta(plan: Plan, records: list[Record]) -> list[tuple[str, str, str]]:
    """Data, encoder, budget, seeds, device and end."""
    about = [(str(term), str(first), str(second)) for term, first, second in plan.data.get("about", [])]
    epochs = f"{plan.base['epochs']} epoch{'' if plan.base['epochs'] == 1 else 's'} a run" if "epochs" in plan.base else ""
    each = "each" if plan.explore is None else "in one search"
    searched = plan.explore is not None or any(arm.search for arm in plan.running)
    about.append(("Budget", f"{plan.sizes.search_trials} search trials {each}" if searched else "nothing is tuned for an arm", epochs))
    about.append(("Seeds", f"{plan.sizes.final_seeds} final, paired", "none seen in the search" if searched else "the same for all"))
    devices = ", ".join(sorted({record.device for record in records if record.device})) or "nothing ran yet"
    hours = sum(record.seconds for record in records) / 3600
    spent = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
    about.append(("Device", devices, f"{spent} of trials, {len(records)} runs"))
    ended = max((record.ended for record in records), default="")
    day = datetime.fromisoformat(ended).strftime("%-d %b %Y") if ended else "not yet"
    final = final_records(records)
    word = "Ended" if is_finished(plan, final) else f"Not ended, {len(standing(plan, final))} trials so far"
    about.append((word, day, f"{ended[11:16]} UTC" if ended else ""))
    return about


def threats(plan: Plan, records: list[Record], verdicts: list[Verdict]) -> list[str]:
    """What the result is not: the space's own caveats and those that the numbers give."""
    said = [
        f"Its data are {plan.data.get('title', plan.data.get('name', ''))} and its sizes those of the {plan.profile} profile ({plan.sizes.note}). It says nothing of other data or longer training."
    ]
    said += [threat.format(**plan.base) for threat in plan.threats]
    said += dict.fromkeys(arm.caveat.format(**{**plan.base, **arm.values}) for arm in plan.running if arm.caveat)
    images = plan.data.get("counts", {}).get("test", 0)
    if images and images < 2000:
        said.append(f"{images} test images: one image is {100 / images:.2f} points, so the binomial sd of an accuracy sets δ.")
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
    return [f"Chosen near an end of what was searched: {', '.join(near)}. A wider range might hold a better setting."] if near else []


def remarks(plan: Plan, records: list[Record]) -> list[str]:
    """What the task itself said of its final runs, counted by arm."""
    said = []
    for arm in plan.arms:
        ended = [record for record in standing(plan, final_records(records)).values() if (record.stage, record.arm) == ("final", arm.name)]
        spoken = [record for record in ended if record.result.get("remarks")]
        if spoken:
            first = spoken[0].result["remarks"][0]
            said.append(f"{len(spoken)} of {len(ended)} final runs of {arm.title} drew a remark; that of seed {spoken[0].seed}: {first}")
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
        again = "was run again with the same seed; both records are kept" if record.trial in ended else "has not succeeded since"
        said.append(f"Trial {record.trial} ({plan.arm(record.arm).title}, {record.stage}) failed and {again}: {last_line(record.error)}.")
    expected = expected_trials(plan)
    missing = {stage: count - sum(r.stage == stage for r in final.values()) for stage, count in expected.items() if stage != "added"}
    said += [f"{count} trials of the {stage} stage have not ended." for stage, count in missing.items() if count > 0]
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
        said.append("No claim was added after the plan was fixed, and no seed after the results were seen: either would change the plan’s hash.")
    return said


def origins(records: list[Record]) -> list[str]:
    """Where records were made, if not all in one place by one program."""
    said = []
    shared = set.intersection(*(set(r.versions) for r in records)) if records else set()  # a machine without Ray names no version of it
    foreign = Counter(record.extra["adopted"] for record in records if "adopted" in record.extra)
    said += [f"{count} records were made elsewhere and adopted from {name}." for name, count in foreign.items()]
    software = {", ".join(f"{name} {version}" for name, version in r.versions.items() if name in shared) for r in records}
    if len(software) > 1:
        said.append(f"The records come from {len(software)} sets of software versions; each record names its own.")
    for what, values in (("commits", {r.commit for r in records}), ("devices", {r.device for r in records if r.device})):
        if len(values) > 1:
            said.append(f"The records come from several {what}: {', '.join(sorted(values))}.")
    return said


def enlarged(plan: Plan, study: dict[str, Any], aside: int) -> list[str]:
    """What was added to the budget after the study began, and what that costs; `aside` records count no longer."""
    changes = study.get("changes", [])
    said = [f"The budget was raised {change.get('when', '')}: {'; '.join(change['what'])}." for change in changes if change["what"]]
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


def provenance(plan: Plan, study: dict[str, Any], records: list[Record]) -> list[tuple[str, str]]:
    """Where every number comes from."""
    extended = "".join(f", extended {change.get('when', '')}" for change in study.get("changes", [])[-1:])
    counts = plan.data.get("counts", {})
    commits = sorted({record.commit for record in records if record.commit}) or [study.get("commit", "")]
    versions = records[-1].versions if records else study.get("versions", {})
    stages = [(stage, plan.seeds(stage)) for stage in ("replica", "confirm", "final")]
    seeds = "; ".join(f"{stage} {found[0]} to {found[-1]}" for stage, found in stages if found)
    precision = sorted({str(record.result["precision"]) for record in records if "precision" in record.result})
    return [
        ("Plan", f"fixed {study.get('created', '')}, before the first trial{extended}; hash {study['hash']}"),
        ("Code", "commit " + ", ".join(commits) if any(commits) else "not in a git repository"),
        ("Data", f"{plan.data.get('name', '')}, fingerprint sha256:{plan.data['fingerprint'][:16]}…; " + ", ".join(f"{count:,} {split}" for split, count in counts.items())
         + f"; {len(plan.data.get('classes', []))} classes; {plan.data.get('duplicates', 0)} exact duplicates between train and test"),
        *weights(plan),
        ("Views", f"{plan.data.get('views', '')}, each image with random parameters of its own"),
        ("Seeds", f"search {SEARCH_SEED}; {seeds}"),
        ("Software", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("Device", f"{', '.join(sorted({r.device for r in records if r.device})) or 'none yet'}; encoder passes in {', '.join(precision) or '–'}; {plan.workers} worker{'s' if plan.workers > 1 else ''} a trial"),
        ("Time", f"first trial {min((r.started for r in records if r.started), default='–')}, last {max((r.ended for r in records), default='–')}; {sum(r.seconds for r in records) / 60:.0f} min of trial time"),
        ("Records", f"records.jsonl, {len(records)} lines, beside this page; flat copies in trials.csv and epochs.csv; the searches in optuna.db"),
    ]  # fmt: skip


def weights(plan: Plan) -> list[tuple[str, str]]:
    """The files of weights that arms begin from, if any do."""
    arms: dict[str, list[str]] = {}
    for name, fields in plan.found.items():
        arms.setdefault(fields.get("weights_sha256", ""), []).append(plan.arm(name).title)
    told = [f"{joined(titles) if len(titles) < len(plan.running) else 'all arms'} from sha256:{sha256[:16]}…" for sha256, titles in arms.items()]
    return [("Weights", "; ".join(told))] if told else []


def runs(plan: Plan, records: list[Record]) -> dict[str, Any]:
    """Every record, none left out."""
    metrics = [metric for metric in plan.metrics if metric.name != "loss"]
    names = [f"{m.title}, %" if m.unit == "points" else m.title for m in metrics]
    fields = list(dict.fromkeys(name for arm in plan.arms for name in tuned(plan, arm)))
    order = {stage: i for i, stage in enumerate(("final", "replica", "confirm", "search", "added", "beside"))}
    arms = [arm.name for arm in plan.arms]
    rows = []
    for r in sorted(records, key=lambda r: (order.get(r.stage, 9), arms.index(r.arm), r.seed, r.ended)):
        scores = ["–" if math.isnan(r.metric(m.name)) else number(r.metric(m.name) * m.scale, digits(m)) for m in metrics]
        loss = f"{r.curve[-1]['loss']:.2f}" if r.curve and math.isfinite(r.curve[-1]["loss"]) else "–"
        rank = r.metric(plan.collapse[0])
        point = [short(r.point[name]) if name in r.point else "–" for name in fields]
        rows.append(
            [
                r.trial,
                r.stage,
                plan.arm(r.arm).title,
                str(r.seed),
                *point,
                r.status,
                loss,
                *scores,
                "–" if math.isnan(rank) else f"{rank:.1f}",
                f"{r.seconds:.1f}",
            ]
        )
    statuses = Counter(record.status for record in records)
    told = ", ".join(f"{count} {status}" for status, count in statuses.items()) or "none yet"
    head = ["Trial", "Stage", capital(plan.scientific), "Seed", *fields, "Status", "Loss", *names, "Eff. rank", "Seconds"]
    sub = f"Accuracies are of the test split in the stages final and replica, of the validation split otherwise. Eff. rank below {plan.collapse[1]:g} counts as collapsed. Median run {statistics.median([r.seconds for r in records]) if records else 0:.1f} s."
    return {"title": f"{len(records)} runs, none left out: {told}", "sub": sub, "head": head, "rows": rows}


def ribbon(plan: Plan) -> str:
    """Words for a study on toy data; empty otherwise."""
    return f"{plan.data['title']}: this shows the method and is no evidence about photographs" if plan.data.get("bundled") else ""
