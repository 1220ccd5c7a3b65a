"""Toy studies, run without Ray."""

import pytest
import toy as toy_module


@pytest.fixture
def toy():
    return toy_module


@pytest.fixture
def finished(tmp_path):
    """The toy's plan and all its records."""
    plan = toy_module.plan()
    return plan, toy_module.run_all(plan, toy_module.task, tmp_path)
