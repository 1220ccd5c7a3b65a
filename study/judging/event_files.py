"""Event files as TensorBoard reads them: a folder a run, its last scalars and hyperparameters."""

import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

HEADER, FOOTER = struct.Struct("<Q4x"), 4  # length with its checksum; checksum of the content
PAIR = re.compile(r"([A-Za-z_][\w.-]*)=([^,/ ]+)")  # of a folder's name, as lr=0.1,seed=3


def event_files(folder: Path) -> list[Path]:
    """The event files below a folder."""
    return sorted(path for path in folder.rglob("*tfevents*") if path.is_file())


def read_event_files(folder: Path) -> pd.DataFrame:
    """One row a folder with scalars: run, what its path says as NAME=VALUE, hyperparameters, tags.

    The value of a tag is that of its last step.
    """
    runs: dict[Path, dict[str, tuple[int, float]]] = {}
    hyperparameters: dict[Path, dict[str, Any]] = {}
    for path in event_files(folder):
        scalars = runs.setdefault(path.parent, {})
        for event in read_events(path):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "hparams":
                    found = parse_hyperparameters(value.metadata.plugin_data.content)
                    hyperparameters.setdefault(path.parent, {}).update(found)
                elif (number := scalar_of(value)) is not None:
                    last = scalars.get(value.tag)
                    if last is None or event.step >= last[0]:
                        scalars[value.tag] = (event.step, number)
    rows: list[dict[str, Any]] = []
    for place, scalars in runs.items():
        if scalars:
            name = place.relative_to(folder).as_posix()
            above = [one for one in (*reversed(place.parents), place) if one in hyperparameters]
            given = {k: v for one in above for k, v in hyperparameters[one].items()}
            tags = {tag: number for tag, (_, number) in scalars.items()}
            rows.append({"run": name, **path_values(name), **given, **tags})
    frame = pd.DataFrame(rows)
    torn = [path.relative_to(folder).as_posix() for path in event_files(folder) if is_torn(path)]
    if torn:
        frame.attrs["notes"] = [
            f"{len(torn)} event files are torn, and what follows there is not read: {torn[0]}"
            f"{' and others' if len(torn) > 1 else ''}."
        ]
    return frame


def is_torn(path: Path) -> bool:
    """Whether a file ends within an event."""
    size, at = path.stat().st_size, 0
    with open(path, "rb") as file:
        while len(header := file.read(HEADER.size)) == HEADER.size:
            at += HEADER.size + HEADER.unpack(header)[0] + FOOTER
            if at > size:
                return True
            file.seek(at)
    return at != size


def read_events(path: Path) -> Iterator[Event]:
    """The events of a file, up to one that is torn, as a run that was killed leaves it."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        while len(header := file.read(HEADER.size)) == HEADER.size:
            (length,) = HEADER.unpack(header)
            if length > size:
                return
            content = file.read(length)
            if len(content) < length:
                return
            file.read(FOOTER)
            try:
                yield Event.FromString(content)
            except DecodeError:
                return


def scalar_of(value: Any) -> float | None:
    """A summary's number; None where it is none."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if value.HasField("tensor") and not value.tensor.tensor_shape.dim:
        tensor = value.tensor
        numbers = [*tensor.float_val, *tensor.double_val]
        if numbers:
            return float(numbers[0])
        if len(content := tensor.tensor_content) in (4, 8):
            return float(struct.unpack("<f" if len(content) == 4 else "<d", content)[0])
    return None


def parse_hyperparameters(content: bytes) -> dict[str, Any]:
    """The hyperparameters of a session, as `SummaryWriter.add_hparams` writes them."""
    try:
        given = HParamsPluginData.FromString(content).session_start_info.hparams
    except DecodeError:
        return {}
    return {
        name: plain(getattr(value, value.WhichOneof("kind") or "string_value"))
        for name, value in given.items()
    }


def path_values(name: str) -> dict[str, Any]:
    """What a path says as NAME=VALUE."""
    return {key: plain(value) for key, value in PAIR.findall(name)}


def plain(value: Any) -> Any:
    """A text or number, whole numbers as such."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    return int(number) if math.isfinite(number) and number == int(number) else number
