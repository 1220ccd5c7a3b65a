"""Places are made anew for each row in a folder of its own; what takes long is made once and copied."""

import os
import sys

import places
import pytest
import toy
from report.test_page import write_study

from moco import __main__ as pretraining
from study.store.exchange import export_trials

RUN = [
    "--dataset",
    "digits",
    "--image-size",
    "8",
    "--width",
    "0.0625",
    "--epochs",
    "1",
    "--batch-size",
    "256",
    "--queue-size",
    "256",
    "--probe-epochs",
    "1",
]


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """The finished toy study, its trials, folders of photographs, and a run of python -m moco."""
    folder = tmp_path_factory.mktemp("base")
    plan = toy.plan(search_trials=3, final_seeds=6)
    write_study(folder / "study", plan, toy.run_all(plan, toy.task, folder / "work"))
    export_trials(plan, {}, folder)
    (folder / "photos").mkdir()
    before = os.getcwd()
    os.chdir(folder / "photos")
    places.make_photos()
    os.chdir(before)
    words = [*RUN, "--data-dir", str(folder / "data"), "--out", str(folder / "run")]
    assert pretraining.main(words) == 0
    return folder


@pytest.fixture
def make_places(base, tmp_path, monkeypatch):
    """A function that makes the places of these names in the current folder, which is new."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv(
        "PYTHONPATH", os.environ.get("PYTHONPATH", "")
    )  # a space's folder goes first
    before = set(sys.modules)
    os.symlink(base / "data", "data")

    def make(names):
        for name in names:
            places.PLACES[name](base)

    yield make
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]
