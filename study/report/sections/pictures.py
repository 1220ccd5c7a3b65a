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
from study.text import capitalize, join_words

STEPS = ((0.1, 0.15), (0.325, 0.3), (0.55, 0.45), (0.775, 0.6))  # share of the maximum: opacity
SIDE = 64  # units of a picture's side
SUB = (
    "n = {count} test images, every class in turn, {right} of them answered rightly; one run, "
    "seed {seed}; no interval."
)


class Tile(NamedTuple):
    """One image."""

    svg: Markup
    words: str  # empty where no position speaks for its answer


class MapRow(NamedTuple):
    """An arm's images under one map."""

    title: str
    tiles: list[Tile]


class MapFigure(NamedTuple):
    """An arm's images under each of its maps."""

    frame: Figure
    answers: list[str]  # class and answer of each image, below its column
    rows: list[MapRow]


@dataclass(frozen=True)
class PicturesSection:
    """A figure for each arm."""

    figures: list[MapFigure]
    caption: str  # of all of them
    missing: str  # arms that should have left pictures, in words


def pictures_section(results: Results, folder: Path) -> PicturesSection | None:
    """The pictures of each arm's first final run that left some; None: none did, none was to."""
    figures: list[MapFigure] = []
    missing: list[str] = []
    asked = arms_with_pictures(results.plan)
    for arm in results.plan.running:
        runs = [run for run in results.runs(arm.name, "final") if run.status == "finished"]
        if found := next(left_pictures(folder, runs), None):
            figures.append(arm_figure(arm, *found))
        elif runs and arm in asked:
            missing.append(arm.title)
    if not asked and not figures:
        return None
    words = join_words(missing) if missing else ""
    return PicturesSection(figures, results.plan.words.pictures_caption, words)


def arms_with_pictures(plan: Plan) -> list[Arm]:
    """The arms whose final runs are to leave pictures."""
    return [arm for arm in plan.running if plan.config(arm, "final").get(plan.words.pictures)]


def left_pictures(folder: Path, runs: list[Record]) -> Iterator[tuple[int, list[Picture]]]:
    """The pictures of the runs that left some, with their seeds."""
    for run in runs:
        if pictures := read_pictures(folder / "trials" / run.trial / "pictures.json"):
            yield run.seed, pictures


def arm_figure(arm: Arm, seed: int, pictures: list[Picture]) -> MapFigure:
    """An arm's images, a row for each map."""
    names = [*dict.fromkeys(name for picture in pictures for name in picture["maps"])]
    right = sum(picture["label"] == picture["answer"] for picture in pictures)
    rests = [rest_of(name, pictures) for name in names]
    ends = (min(rests).share, max(rests).share)
    share = " to ".join(dict.fromkeys(f"{100 * end:.0f}" for end in ends))
    frame = Figure(
        id=f"maps-{arm.name}",
        title=f"{arm.title}: the weights rest on {share} % of the positions",
        sub=SUB.format(count=len(pictures), right=right, seed=seed),
        caption="",
        table=arm_table(arm, names, pictures),
    )
    rows = [
        MapRow(rest.words, [tile(picture, name) for picture in pictures])
        for name, rest in zip(names, rests, strict=True)
    ]
    return MapFigure(frame, [answer_words(picture) for picture in pictures], rows)


class Rest(NamedTuple):
    """On how many positions a map's weight rests: the mean over the images that have the map."""

    share: float  # of the positions
    words: str


def rest_of(name: str, pictures: list[Picture]) -> Rest:
    """A map's, in words and as a share."""
    maps = [picture["maps"][name] for picture in pictures if name in picture["maps"]]
    mean = sum(map(effective_positions, maps)) / len(maps)
    total, title = sum(len(row) for row in maps[0]), name.replace("'", "’")
    words = f"{capitalize(title)}: on {mean:.1f} of {total} positions"
    if without := len(pictures) - len(maps):
        they = "it counts" if without == 1 else "they count"
        words += f"; for {without} no position speaks for the answer, {they} in no mean"
    return Rest(mean / total, words)


def arm_table(arm: Arm, names: list[str], pictures: list[Picture]) -> Table:
    """Every image's numbers, by map."""
    head = ["Image", "Class", "Answer"]
    for name in names:
        head += [f"{name}: positions", "largest weight"]
    rows = [picture_row(i, picture, names) for i, picture in enumerate(pictures, start=1)]
    return Table(f"{arm.title}, by image", head, rows)


def picture_row(i: int, picture: Picture, names: list[str]) -> list[str]:
    """An image's row of the table."""
    cells = [str(i), picture["label"], picture["answer"]]
    for name in names:
        if (grid := picture["maps"].get(name)) is None:
            cells += [DASH, DASH]
            continue
        positions, total = effective_positions(grid), sum(map(len, grid))
        cells += [f"{positions:.1f} of {total}", f"{max(map(max, grid)):.2f}"]
    return cells


def effective_positions(grid: list[list[float]]) -> float:
    """On how many positions the weights rest: the exponential of their entropy."""
    return math.exp(-sum(w * math.log(w) for row in grid for w in row if w > 0))


def answer_words(picture: Picture) -> str:
    """An image's class and how it was read."""
    is_right = picture["label"] == picture["answer"]
    return f"{picture['label']}, {'right' if is_right else 'read as ' + picture['answer']}"


def tile(picture: Picture, name: str) -> Tile:
    """One image with its weights in four steps of opacity."""
    words = answer_words(picture)
    drawing = (
        f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(words)}">'
        f'<image href="data:image/png;base64,{escape(picture["image"])}" width="{SIDE}" '
        f'height="{SIDE}" style="image-rendering:pixelated"/>'
        f"{heat_paths(picture['maps'].get(name, [[0.0]]))}</svg>"
    )
    return Tile(Markup(drawing), "" if name in picture["maps"] else "no position speaks for it")


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
