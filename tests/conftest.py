"""Which tests need the machine for themselves: `make test` runs them one by one, after the others."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# they start Ray or several workers, or measure times
ALONE = (
    "faults",
    "study/runner",
    "benchmarks",
    "examples",
    "moco/test_distributed.py",
    "moco/trainer/test_trial.py",
    "moco/trainer/test_gpu_sharing.py",
)


def pytest_collection_modifyitems(items):
    for item in items:
        place = Path(item.path).relative_to(HERE)
        runs_study = place.name == "test_spaces.py" and item.get_closest_marker("slow")
        if runs_study or any(place.is_relative_to(alone) for alone in ALONE):
            item.add_marker(pytest.mark.alone)
