"""The records of a study as its arms read them: what gates, tables and figures are functions of.

An arm may take its numbers under other names, or from the trials of another arm. One trial can
measure many values of the scientific parameter at once, as a probe does with its learning rates:
each is an arm then, and only one of them is run.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from study.analysis.correct_items import Matrix, unpack_correct
from study.design.plan import Plan, Point
from study.design.record import Record, final_records
from study.design.space import Arm, Metric
from study.design.stages import chosen_point, current_records
from study.errors import StudyError
from study.typed import clip


def check_arms(plan: Plan, records: Iterable[Record]) -> None:
    """Check that every record is of an arm or a control of the plan's space, at a point of it.

    Raises:
        StudyError: one is not, or a metric of it is no number; records of two studies lie in one
            file, or a line was edited.
    """
    metrics = [metric.name for metric in plan.space.metrics]
    known = {one.name: set(one.search) for one in (*plan.space.arms, *plan.space.controls)}
    for number, record in enumerate(records, start=1):
        if record.arm not in known:
            raise StudyError(
                f"line {number} of records.jsonl must be a run of the plan in study.json; it is of "
                f"the arm {record.arm!r}, which that plan has not"
            )
        if missing := sorted(known[record.arm] - set(record.point)):
            raise StudyError(
                f"line {number} of records.jsonl must be a run of the plan in study.json; its "
                f"point has no {missing[0]!r}, which that plan tunes"
            )
        values = {name: record.result.get(name) for name in metrics}
        if wrong := [f"{name} is {clip(v)}" for name, v in values.items() if isinstance(v, str)]:
            raise StudyError(
                f"line {number} of records.jsonl must be a run of the plan in study.json; its "
                f"{wrong[0]}, no number"
            )


class ArmRecords:
    """Plan and records, and what follows from them, each found once."""

    def __init__(self, plan: Plan, records: Iterable[Record]) -> None:
        self.plan = plan
        self.records = list(records)  # all of them, failed attempts and superseded points included
        check_arms(plan, self.records)
        self.final = final_records(self.records)  # by trial
        self.current = current_records(plan, self.final)  # of trials that the plan asks for
        self._points: dict[str, dict[int, Point]] = {}

    @cached_property
    def by_arm(self) -> list[Record]:
        """The current records as every arm reads them, in the order of records.jsonl."""
        records = dict(self.current)
        for arm in (*self.plan.space.arms, *self.plan.space.controls):
            if not (arm.of or arm.reads or arm.curve):
                continue
            for id, record in self.current.items():
                if record.arm == (arm.of or arm.name):
                    records[f"{id}/{arm.name}" if arm.of else id] = read_as_arm(arm, record)
        return list(records.values())

    @cached_property
    def _runs(self) -> dict[tuple[str, str], list[Record]]:
        runs: dict[tuple[str, str], list[Record]] = {}
        for record in self.by_arm:
            runs.setdefault((record.arm, record.stage), []).append(record)
        return {key: sorted(found, key=lambda run: run.seed) for key, found in runs.items()}

    def runs(self, arm: str, stage: str) -> list[Record]:
        """An arm's final records of a stage, by seed."""
        return self._runs.get((arm, stage), [])

    def chosen_points(self, arm: Arm) -> dict[int, Point]:
        """What each search of the arm chose, by the search's number; without those that go on."""
        if arm.name not in self._points:
            points = {
                search: chosen_point(self.plan, arm, self.current, search)
                for search in self.plan.searches
            }
            self._points[arm.name] = {k: point for k, point in points.items() if point is not None}
        return self._points[arm.name]

    def chosen_point(self, arm: Arm) -> Point | None:
        """The arm's chosen point, the middle one of several searches; None while there is none.

        The middle by the first tuned parameter, and of an even number the lower.
        """
        points = list(self.chosen_points(arm).values())
        if len(points) > 1 and (name := next(iter(self.plan.tuned(arm)), "")):
            points.sort(key=lambda point: point[name])
        return points[(len(points) - 1) // 2] if points else None

    def values(self, arm: str, stage: str, metric: Metric, seeds: int = 0) -> dict[int, float]:
        """An arm's values in the metric's unit, by what is compared: a seed, or a search.

        A search's value is the mean of its final runs. A seed or search with a run that did not
        finish has none.

        Args:
            seeds: only the first so many seeds as planned, whether they finished or not; 0: all.
        """
        by_unit: dict[int, list[float]] = {}
        for run in self.runs(arm, stage):
            value = run.metric(metric.name) * metric.scale
            by_unit.setdefault(self.plan.unit_of(stage, run.seed), []).append(value)
        chosen = sorted(by_unit)[:seeds] if seeds else sorted(by_unit)
        repeated = stage == "final" and self.plan.repeats
        whole = self.plan.sizes.final_seeds if repeated else 1  # runs of a unit
        values = {unit: sum(found) / len(found) for unit, found in by_unit.items()}
        return {
            unit: values[unit]
            for unit in chosen
            if len(by_unit[unit]) >= whole and not math.isnan(values[unit])
        }

    def correct_items(self, arm: str, stage: str, metric: Metric) -> dict[int, Matrix]:
        """By seed or search, the share of its runs that got each test item right.

        Without those of which some run does not say so.
        """
        by_unit: dict[int, list[Matrix | None]] = {}
        for run in self.runs(arm, stage) if metric.correct else ():
            correct = unpack_correct(run.result.get(metric.correct))
            by_unit.setdefault(self.plan.unit_of(stage, run.seed), []).append(correct)
        shares = {}
        for unit, found in by_unit.items():
            known = [one for one in found if one is not None]
            if len(known) == len(found) and len({len(one) for one in known}) == 1:
                shares[unit] = np.mean(known, axis=0)
        return shares

    def delta(self, metric: Metric) -> float:
        """The smallest difference that matters, in the metric's unit.

        For a share of test images it is at least the binomial sd at the reference's final mean.
        """
        values = list(self.values(self.plan.space.reference, "final", metric).values())
        images = self.plan.data.test_items
        if not (metric.share_of_images and values and images):
            return metric.delta
        share = sum(values) / len(values) / metric.scale
        return max(metric.delta, metric.scale * math.sqrt(max(share * (1 - share), 0.0) / images))


def read_as_arm(arm: Arm, record: Record) -> Record:
    """A record as an arm reads it."""
    other = {metric: record.result.get(key) for metric, key in arm.reads.items() if record.result}
    result = {**record.result, **other}
    return replace(record, arm=arm.name, result=result, curve=arm_curve(arm, record))


def arm_curve(arm: Arm, record: Record) -> list[dict[str, Any]]:
    """The epochs that an arm shows: those of the record, or a list of its result."""
    if arm.curve is None:
        return record.curve
    values: Any = record.result
    for key in arm.curve.path:
        values = values.get(key, {}) if isinstance(values, dict) else {}
    return [{"epoch": k + 1, arm.curve.metric: value} for k, value in enumerate(values or [])]
