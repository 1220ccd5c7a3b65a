"""What the result is not."""

import math

from study.analysis.forecast import detectable_difference
from study.analysis.results import Results
from study.design.plan import Plan, Point
from study.design.ranges import By, Choice, OneMinus, Span
from study.design.stages import EDGE
from study.text import format_short

GIVEN = (
    "It is about the runs in {source} and no others. Who made them, how each arm was tuned, and "
    "how many runs were left out, the file does not say."
)


def threat_lines(results: Results) -> list[str]:
    """What the result is not: the space's own caveats and those that the numbers give."""
    plan = results.plan
    return [
        *scope_lines(plan),
        *(threat.format(**plan.base) for threat in plan.space.threats),
        *dict.fromkeys(
            arm.caveat.format(**{**plan.base, **arm.values}) for arm in plan.running if arm.caveat
        ),
        *precision_lines(results),
        *edge_lines(results),
        *plan.data.warnings,
        *remark_lines(results),
    ]


def scope_lines(plan: Plan) -> list[str]:
    """On which data and at which sizes it was measured."""
    if plan.given:
        return [GIVEN.format(source=plan.given.source)]
    data, note = plan.data.title or plan.data.name, plan.sizes.note
    sizes = f"sizes those of the {plan.profile} profile{f' ({note})' if note else ''}"
    if not data:
        return [f"Its {sizes}. It says nothing of longer training."]
    return [
        f"Its data are {data} and its {sizes}. It says nothing of other data or longer training."
    ]


def precision_lines(results: Results) -> list[str]:
    """How small a difference could have been found."""
    plan, lines = results.plan, []
    images, metric = plan.data.test_items, plan.space.primary
    if images and metric.share_of_images and results.delta(metric) > metric.delta:
        lines = [
            f"{images:,} test images: one image is {metric.scale / images:.2f} {metric.unit}, so "
            "the binomial sd of an accuracy sets δ."
        ]
    primary = results.verdict("primary")
    if primary and primary.result.n > 1 and primary.result.sd == 0 and primary.result.is_paired:
        lines.append(
            f"All {primary.result.n} differences are the same number: the runs do not depend on "
            "their seed, or the metric cannot tell them apart."
        )
    if primary and primary.result.n > 1 and primary.result.is_paired:
        lines.append(detectable_difference(plan, primary))
    return lines


def edge_lines(results: Results) -> list[str]:
    """Chosen values of an adaptive search in the outer tenth of a range: a wider one may help."""
    explore = results.plan.space.explore
    point = results.chosen_point(results.plan.space.arm(explore.arm)) if explore else None
    if explore is None or point is None:
        return []
    near = [
        f"{name} {format_short(point[name])}"
        for name, span in explore.search.items()
        if is_near_edge(span, point, name)
    ]
    if not near:
        return []
    return [
        f"Chosen near an end of what was searched: {', '.join(near)}. A wider range might hold a "
        "better setting."
    ]


def is_near_edge(span: Span, point: Point, name: str) -> bool:
    """Whether a point's value lies in the outer tenths of its range."""
    if isinstance(span, By):
        return is_near_edge(span.spans[point[span.parameter]], point, name)
    if isinstance(span, Choice):
        return False
    from_low = 1 - point[name] if isinstance(span, OneMinus) else point[name]
    place = math.log(from_low / span.low) / math.log(span.high / span.low)
    return not EDGE < place < 1 - EDGE


def remark_lines(results: Results) -> list[str]:
    """What the task itself remarked on its final runs, counted by arm."""
    lines = []
    for arm in results.plan.space.arms:
        runs = [
            record
            for record in results.current.values()
            if (record.stage, record.arm) == ("final", arm.name)
        ]
        if remarked := [run for run in runs if run.result.get("remarks")]:
            first = remarked[0]
            lines.append(
                f"{len(remarked)} of {len(runs)} final runs of {arm.title} drew a remark; that of "
                f"seed {first.seed}: {first.result['remarks'][0]}"
            )
    return lines
