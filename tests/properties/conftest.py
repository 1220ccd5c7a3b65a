"""The same examples every time; PROPERTIES=fuzz tries new ones, many more of them."""

import os
import shutil

import example_folders
import pytest
from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "same",
    deadline=None,
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "fuzz", deadline=None, max_examples=5000, database=None, suppress_health_check=SLOW
)
settings.load_profile(os.environ.get("PROPERTIES", "same"))


@pytest.fixture(autouse=True, scope="module")
def _example_folders(tmp_path_factory):
    example_folders.HOME.append(tmp_path_factory.mktemp("examples"))
    yield
    shutil.rmtree(example_folders.HOME.pop())
