"""A trial: one configuration and one seed; its identity is a hash of both and of the data."""

from collections.abc import Generator
from pathlib import Path
from typing import Any, Protocol


class Task(Protocol):
    """What a study runs: any training generator.

    It yields one dict of numbers an epoch, with at least `epoch` (from 1) and `loss`, and returns the dict of its results. Called
    again with the same folder it goes on where it was, and yields the epochs that it already has again. Under an initialised process
    group it is called on every worker alike.
    """

    def __call__(
        self, config: dict[str, Any], folder: Path
    ) -> Generator[dict[str, Any], None, dict[str, Any]]: ...
