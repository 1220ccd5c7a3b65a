"""What arms read of records: an arm may take its numbers under other names, or from the trials of another arm.

One trial can measure many values of the scientific parameter at once, as a probe does with its learning rates; each is an arm then,
and only one of them is run.
"""

from dataclasses import replace
from typing import Any

from study.design.plan import Plan
from study.design.record import Record, final_records
from study.design.space import Arm
from study.design.stages import Records, standing


def judged(plan: Plan, records: list[Record]) -> Records:
    """The records that count, as every arm of the plan reads them: what tables, figures and verdicts are made of."""
    counted = standing(plan, final_records(records))
    found = dict(counted)
    for arm in plan.arms:
        if not (arm.of or arm.reads or arm.curve):
            continue
        for id, record in counted.items():
            if record.arm == (arm.of or arm.name):
                found[f"{id}/{arm.name}" if arm.of else id] = read_by(arm, record)
    return found


def read_by(arm: Arm, record: Record) -> Record:
    """A record as an arm reads it."""
    result = {
        **record.result,
        **{metric: record.result.get(key) for metric, key in arm.reads.items() if record.result},
    }
    return replace(record, arm=arm.name, result=result, curve=curve_of(arm, record))


def curve_of(arm: Arm, record: Record) -> list[dict[str, Any]]:
    """The epochs that an arm shows: those of the record, or a list of its result, named as "metric = key/entry"."""
    if not arm.curve:
        return record.curve
    metric, _, path = arm.curve.partition(" = ")
    values: Any = record.result
    for key in path.split("/"):
        values = values.get(key, {}) if isinstance(values, dict) else {}
    return [{"epoch": k + 1, metric: value} for k, value in enumerate(values or [])]
