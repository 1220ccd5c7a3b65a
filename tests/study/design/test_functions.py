"""A plain function as a trainer: its source is a part of its trials, the rest of its file is not."""

import importlib
import linecache
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study import Trainer, from_function
from study.design.functions.source import source_sha256
from study.design.trainer import Request

LOOP = """
from functools import partial

import helper
from helper import second
from json import dumps

SCALE = 2.0
NAMES = {"a", "b", "c"}
FIELDS = {"sizes": [1, 2]}
TITLE = "a space"


class Model(helper.Base):
    def loss(self):
        return halve(SCALE) + len(NAMES) + FIELDS["sizes"][0]


def halve(x):
    return x / 2


def unused(x):
    return x


def train(config, folder):
    def inner():
        return second(Model().loss())

    yield {"epoch": 1, "loss": inner(), "text": dumps(1)}
    return {}
"""
ROOT = Path(__file__).parents[3]
HELPER = """
class Base:
    weight = 1


def second(x):
    return x + 1
"""


@pytest.fixture
def hash_of(tmp_path, monkeypatch):
    """The hash of `train` after changes of the two files."""
    monkeypatch.syspath_prepend(tmp_path)

    def build(file="", old="", new=""):
        texts = {"loop": LOOP, "helper": HELPER}
        assert not old or old in texts[file]
        texts |= {file: texts[file].replace(old, new)} if file else {}
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(text)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        linecache.clearcache()
        return source_sha256(importlib.import_module("loop").train)

    yield build
    for name in ("loop", "helper"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("loop", '"epoch": 1', '"epoch": 2', True),
        ("loop", "SCALE = 2.0", "SCALE = 3.0", True),
        ("loop", "x / 2", "x / 3", True),
        ("loop", "return halve(SCALE)", "return halve(1)", True),
        ("loop", '"b", "c"', '"b", "d"', True),
        ("loop", "[1, 2]", "[1, 3]", True),
        ("helper", "weight = 1", "weight = 2", True),
        ("helper", "x + 1", "x + 2", True),
        ("loop", '"a space"', '"another"', False),
        ("loop", "def unused(x):\n    return x", "def unused(x):\n    return 0", False),
    ],
)
def test_what_a_function_uses_counts_and_what_stands_beside_it_does_not(
    hash_of, file, old, new, counts
):
    before = hash_of()
    assert before == hash_of()
    assert (hash_of(file, old, new) != before) is counts


PROCESS = """
import sys
from functools import partial

sys.path.insert(0, {folder!r})
import loop
from study.design.functions.source import source_sha256


class Loop:
    def __call__(self, config, folder):
        return loop.train(config, folder)


print(source_sha256(loop.train), source_sha256(partial(loop.train, rate=[1])), source_sha256(Loop()))
"""


def test_the_hash_is_the_same_in_every_process_also_of_partials_and_callable_objects(tmp_path):
    (tmp_path / "loop.py").write_text(LOOP)
    (tmp_path / "helper.py").write_text(HELPER)
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROCESS.format(folder=str(tmp_path))],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].split())) == 3


def train(config, folder):
    yield {"epoch": 1, "loss": 0.0}
    return {"score": 1.0}


def request(**arms):
    return Request("none", Path("data"), {}, arms, {}, {})


def test_trials_of_other_code_are_refused():
    trainer: Trainer = from_function(train, {"epochs": 1})
    found = trainer.prepare(request(a={}))
    (field,) = found.fields
    assert trainer.complete(dict(found.fields)) == {"seed": 0, "epochs": 1, **found.fields}
    trainer.prepare(request(a=dict(found.fields)))
    with pytest.raises(ValueError, match="must be the code with which the trials were planned"):
        trainer.prepare(request(a={field: "0" * 64}))
    assert (field in trainer.words.set_by_study, trainer.words.epochs) == (True, "epochs")
    assert list(trainer.words.inputs.values()) == ["Code"]
