"""The pictures that trials left: images, and by name weights over their positions."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup, escape

from study.analysis.results import Results
from study.design.plan import Plan
from study.design.record import Record
from study.design.space import Arm
from study.report.section import DASH, Figure, Table
from study.store.pictures import Picture, read_pictures
from study.text import join_words

STEPS = ((0.1, 0.15), (0.325, 0.3), (0.55, 0.45), (0.775, 0.6))  # share of the maximum: opacity
SIDE = 64  # units of a picture's side
SUB = (
    "n = {count} test images, every class in turn, {right} of them answered rightly; one run, "
    "seed {seed}; no interval."
)


class Tile(NamedTuple):
    """One image."""

    svg: Markup
    words: str


class TileFigure(NamedTuple):
    """The images of an arm under one map."""

    frame: Figure
    tiles: list[Tile]


@dataclass(frozen=True)
class PicturesSection:
    """A figure for each map of each arm."""

    figures: list[TileFigure]
    missing: str  # arms that should have left pictures, in words


def pictures_section(results: Results, folder: Path) -> PicturesSection | None:
    """The pictures of each arm's first final run that left some; None: none did, none was to."""
    figures: list[TileFigure] = []
    missing: list[str] = []
    asked = arms_with_pictures(results.plan)
    for arm in results.plan.running:
        runs = [run for run in results.runs(arm.name, "final") if run.status == "finished"]
        if found := next(left_pictures(folder, runs), None):
            figures += arm_figures(results.plan, arm, *found, first=len(figures))
        elif runs and arm in asked:
            missing.append(arm.title)
    if not asked and not figures:
        return None
    return PicturesSection(figures, join_words(missing) if missing else "")


def arms_with_pictures(plan: Plan) -> list[Arm]:
    """The arms whose final runs are to leave pictures."""
    return [arm for arm in plan.running if plan.config(arm, "final").get(plan.words.pictures)]


def left_pictures(folder: Path, runs: list[Record]) -> Iterator[tuple[int, list[Picture]]]:
    """The pictures of the runs that left some, with their seeds."""
    for run in runs:
        if pictures := read_pictures(folder / "trials" / run.trial / "pictures.json"):
            yield run.seed, pictures


def arm_figures(
    plan: Plan, arm: Arm, seed: int, pictures: list[Picture], *, first: int
) -> list[TileFigure]:
    """A figure for each map; `first` is the number of the first one."""
    names = dict.fromkeys(name for picture in pictures for name in picture["maps"])
    return [
        map_figure(
            f"maps-{arm.name}-{first + i}",
            arm.title,
            name,
            seed=seed,
            pictures=pictures,
            caption=plan.words.pictures_caption,
        )
        for i, name in enumerate(names)
    ]


def map_figure(
    id: str, arm: str, name: str, *, seed: int, pictures: list[Picture], caption: str
) -> TileFigure:
    """The pictures of one arm under one map."""
    maps = [picture["maps"][name] for picture in pictures if name in picture["maps"]]
    mean = sum(map(effective_positions, maps)) / len(maps)
    total = sum(len(row) for row in maps[0])
    right = sum(picture["label"] == picture["answer"] for picture in pictures)
    sub = SUB.format(count=len(pictures), right=right, seed=seed)
    if without := len(pictures) - len(maps):
        they = "it counts" if without == 1 else "they count"
        sub += f" In {without} of them no position speaks for the answer: {they} in no mean."
    words = name.replace("'", "’")
    head = ["Image", "Class", "Answer", "Positions", "Largest weight"]
    rows = [picture_row(i, picture, name, total) for i, picture in enumerate(pictures, start=1)]
    return TileFigure(
        Figure(
            id=id,
            title=f"{arm}, {words}: the weight rests on {mean:.1f} of {total} positions",
            sub=sub,
            caption=caption,
            table=Table(f"{arm}, {name}", head, rows),
        ),
        [tile(picture, name) for picture in pictures],
    )


def picture_row(i: int, picture: Picture, name: str, total: int) -> list[str]:
    """An image's row of the table."""
    cells = [str(i), picture["label"], picture["answer"]]
    if (grid := picture["maps"].get(name)) is None:
        return [*cells, DASH, DASH]
    positions, largest = effective_positions(grid), max(max(row) for row in grid)
    return [*cells, f"{positions:.1f} of {total}", f"{largest:.2f}"]


def effective_positions(grid: list[list[float]]) -> float:
    """On how many positions the weights rest: the exponential of their entropy."""
    return math.exp(-sum(w * math.log(w) for row in grid for w in row if w > 0))


def tile(picture: Picture, name: str) -> Tile:
    """One image with its weights in four steps of opacity."""
    is_right = picture["label"] == picture["answer"]
    words = f"{picture['label']}, {'right' if is_right else 'read as ' + picture['answer']}"
    if name not in picture["maps"]:
        words += "; no position speaks for it"
    drawing = (
        f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(words)}">'
        f'<image href="data:image/png;base64,{escape(picture["image"])}" width="{SIDE}" '
        f'height="{SIDE}" style="image-rendering:pixelated"/>'
        f"{heat_paths(picture['maps'].get(name, [[0.0]]))}</svg>"
    )
    return Tile(Markup(drawing), words)


def heat_paths(grid: list[list[float]]) -> str:
    """The weights: a path for each step."""
    top = max(max(row) for row in grid) or 1.0
    height, width = SIDE / len(grid), SIDE / len(grid[0])
    squares: dict[float, str] = {}  # by opacity
    for y, row in enumerate(grid):
        for x, weight in enumerate(row):
            opacity = max((opacity for least, opacity in STEPS if weight / top >= least), default=0)
            corner = f"M{x * width:g} {y * height:g}"
            square = f"{corner}h{width:g}v{height:g}h{-width:g}z"
            squares[opacity] = squares.get(opacity, "") + square
    return "".join(
        f'<path class="heat" opacity="{opacity}" d="{squares[opacity]}"/>'
        for _, opacity in STEPS
        if opacity in squares
    )
