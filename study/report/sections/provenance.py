"""The page's masthead facts, threats, deviations, provenance and table of all runs."""

import math
import statistics
from collections import Counter
from datetime import datetime
from typing import Any

from study.design.plan import SEARCH_SEED, Plan, tuned
from study.design.record import Record, final_records
from study.design.stages import is_finished, standing
from study.report.section import digits
from study.text import capital, joined, number, short


def meta(plan: Plan, records: list[Record]) -> list[tuple[str, str, str]]:
    """Data, encoder, budget, seeds, device and end."""
    about = [
        (str(term), str(first), str(second)) for term, first, second in plan.data.get("about", [])
    ]
    epochs = (
        f"{plan.base['epochs']} epoch{'' if plan.base['epochs'] == 1 else 's'} a run"
        if "epochs" in plan.base
        else ""
    )
    each = "each" if plan.explore is None else "in one search"
    searched = plan.explore is not None or any(arm.search for arm in plan.running)
    about.append(
        (
            "Budget",
            f"{plan.sizes.search_trials} search trials {each}"
            if searched
            else "nothing is tuned for an arm",
            epochs,
        )
    )
    about.append(
        (
            "Seeds",
            f"{plan.sizes.final_seeds} final, paired",
            "none seen in the search" if searched else "the same for all",
        )
    )
    devices = (
        ", ".join(sorted({record.device for record in records if record.device}))
        or "nothing ran yet"
    )
    hours = sum(record.seconds for record in records) / 3600
    spent = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
    about.append(("Device", devices, f"{spent} of trials, {len(records)} runs"))
    ended = max((record.ended for record in records), default="")
    day = datetime.fromisoformat(ended).strftime("%-d %b %Y") if ended else "not yet"
    final = final_records(records)
    word = (
        "Ended"
        if is_finished(plan, final)
        else f"Not ended, {len(standing(plan, final))} trials so far"
    )
    about.append((word, day, f"{ended[11:16]} UTC" if ended else ""))
    return about


def provenance(plan: Plan, study: dict[str, Any], records: list[Record]) -> list[tuple[str, str]]:
    """Where every number comes from."""
    extended = "".join(
        f", extended {change.get('when', '')}" for change in study.get("changes", [])[-1:]
    )
    counts = plan.data.get("counts", {})
    commits = sorted({record.commit for record in records if record.commit}) or [
        study.get("commit", "")
    ]
    versions = records[-1].versions if records else study.get("versions", {})
    stages = [(stage, plan.seeds(stage)) for stage in ("replica", "confirm", "final")]
    seeds = "; ".join(f"{stage} {found[0]} to {found[-1]}" for stage, found in stages if found)
    precision = sorted(
        {str(record.result["precision"]) for record in records if "precision" in record.result}
    )
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
    told = [
        f"{joined(titles) if len(titles) < len(plan.running) else 'all arms'} from sha256:{sha256[:16]}…"
        for sha256, titles in arms.items()
    ]
    return [("Weights", "; ".join(told))] if told else []


def runs(plan: Plan, records: list[Record]) -> dict[str, Any]:
    """Every record, none left out."""
    metrics = [metric for metric in plan.metrics if metric.name != "loss"]
    names = [f"{m.title}, %" if m.unit == "points" else m.title for m in metrics]
    fields = list(dict.fromkeys(name for arm in plan.arms for name in tuned(plan, arm)))
    order = {
        stage: i
        for i, stage in enumerate(("final", "replica", "confirm", "search", "added", "beside"))
    }
    arms = [arm.name for arm in plan.arms]
    rows = []
    for r in sorted(
        records, key=lambda r: (order.get(r.stage, 9), arms.index(r.arm), r.seed, r.ended)
    ):
        scores = [
            "–" if math.isnan(r.metric(m.name)) else number(r.metric(m.name) * m.scale, digits(m))
            for m in metrics
        ]
        loss = (
            f"{r.curve[-1]['loss']:.2f}" if r.curve and math.isfinite(r.curve[-1]["loss"]) else "–"
        )
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
    head = [
        "Trial",
        "Stage",
        capital(plan.scientific),
        "Seed",
        *fields,
        "Status",
        "Loss",
        *names,
        "Eff. rank",
        "Seconds",
    ]
    sub = f"Accuracies are of the test split in the stages final and replica, of the validation split otherwise. Eff. rank below {plan.collapse[1]:g} counts as collapsed. Median run {statistics.median([r.seconds for r in records]) if records else 0:.1f} s."
    return {
        "title": f"{len(records)} runs, none left out: {told}",
        "sub": sub,
        "head": head,
        "rows": rows,
    }


def ribbon(plan: Plan) -> str:
    """Words for a study on toy data; empty otherwise."""
    return (
        f"{plan.data['title']}: this shows the method and is no evidence about photographs"
        if plan.data.get("bundled")
        else ""
    )
