"""The page's attention maps, from the `pictures.json` that trials left: images, and by name weights over their positions."""

import math
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from study.analysis.gates import of_stage
from study.design.plan import Plan
from study.design.stages import Records
from study.store.pictures import Picture, pictures_of
from study.text import joined

STEPS = (
    (0.1, 0.15),
    (0.325, 0.3),
    (0.55, 0.45),
    (0.775, 0.6),
)  # of the image's largest weight, from here on: opacity
SIDE = 64  # units of a picture's side


def maps(plan: Plan, records: Records, folder: Path) -> dict[str, Any] | None:
    """A figure for each map of each arm, from its first final run that left pictures, and which arms should have left some; None: no arm is to."""
    figures: list[dict[str, Any]] = []
    missing: list[str] = []
    asked = [
        arm
        for arm in plan.running
        if {**plan.base, **plan.stages["final"], **arm.values}.get("pictures")
    ]
    for arm in asked:
        runs = [
            record for record in of_stage(records, arm.name, "final") if record.status == "finished"
        ]
        left = (
            (run.seed, pictures_of(folder / "trials" / run.trial / "pictures.json")) for run in runs
        )
        seed, pictures = next(((seed, found) for seed, found in left if found), (0, []))
        for name in dict.fromkeys(name for picture in pictures for name in picture["maps"]):
            figures.append(
                figure(f"maps-{arm.name}-{len(figures)}", arm.title, name, seed, pictures)
            )
        missing += [arm.title] if runs and not pictures else []
    return {"figures": figures, "missing": joined(missing) if missing else ""} if asked else None


def figure(id: str, arm: str, name: str, seed: int, pictures: list[Picture]) -> dict[str, Any]:
    """The pictures of one arm under one map."""
    drawn = [picture["maps"][name] for picture in pictures if name in picture["maps"]]
    mean, total = sum(map(positions, drawn)) / len(drawn), sum(len(row) for row in drawn[0])
    none = len(pictures) - len(drawn)
    left = (
        f" In {none} of them no position speaks for the answer: {'it counts' if none == 1 else 'they count'} in no mean."
        if none
        else ""
    )
    words = name.replace("'", "’")
    right = sum(picture["label"] == picture["answer"] for picture in pictures)
    rows = []
    for i, p in enumerate(pictures):
        grid = p["maps"].get(name)
        told = (
            [f"{positions(grid):.1f} of {total}", f"{max(max(row) for row in grid):.2f}"]
            if grid
            else ["–", "–"]
        )
        rows.append([str(i + 1), p["label"], p["answer"], *told])
    return {
        "id": id,
        "title": f"{arm}, {words}: the weight rests on {mean:.1f} of {total} positions",
        "sub": f"n = {len(pictures)} test images, every class in turn, {right} of them answered rightly; one encoder, seed {seed}; no interval.{left}",
        "caption": "Under each image its class and the probe’s answer.",
        "table": {"caption": f"{arm}, {name}", "head": ["Image", "Class", "Probe’s answer", "Positions", "Largest weight"], "rows": rows},
        "tiles": [tile(picture, name) for picture in pictures],
    }  # fmt: skip


def positions(grid: list[list[float]]) -> float:
    """On how many positions the weights rest: the exponential of their entropy."""
    return math.exp(-sum(w * math.log(w) for row in grid for w in row if w > 0))


def tile(picture: Picture, name: str) -> dict[str, Any]:
    """One image with its weights in four steps of opacity."""
    grid = picture["maps"].get(name, [[0.0]])
    top = max(max(row) for row in grid) or 1.0
    height, width = SIDE / len(grid), SIDE / len(grid[0])
    paths = []
    for i, (least, opacity) in enumerate(STEPS):
        below = STEPS[i + 1][0] if i + 1 < len(STEPS) else math.inf
        cells = [
            (x, y)
            for y, row in enumerate(grid)
            for x, w in enumerate(row)
            if least <= w / top < below
        ]
        if cells:
            squares = "".join(
                f"M{x * width:g} {y * height:g}h{width:g}v{height:g}h{-width:g}z" for x, y in cells
            )
            paths.append(f'<path class="heat" opacity="{opacity}" d="{squares}"/>')
    right = picture["label"] == picture["answer"]
    words = (
        f"{picture['label']}, right"
        if right
        else f"{picture['label']}, read as {picture['answer']}"
    )
    words += "" if name in picture["maps"] else "; no position speaks for it"
    image = f'<image href="data:image/png;base64,{escape(picture["image"])}" width="{SIDE}" height="{SIDE}" style="image-rendering:pixelated"/>'
    drawing = f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(words)}">{image}{"".join(paths)}</svg>'
    return {"svg": Markup(drawing), "words": words}
