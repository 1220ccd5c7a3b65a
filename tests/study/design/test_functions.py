"""A plain function as a trainer: its source is a part of its trials, the rest of its file is not."""

import functools
import importlib
import linecache
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
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
REACHES = """
import functools
import os

import arrays
import beside.parts
from via import middle

RATE = 1.5
SIZES = (1, 2)
TABLE = {}
TABLE["x"] = lambda: 10
TABLE.update(y=11)
COLOURS = ["red"]
SPEED = int(os.environ.get("SPEED_OF_TEST", "5"))


def timed(function):
    @functools.wraps(function)
    def inner(*args):
        return [31, *function(*args)]

    return inner


class Meta(type):
    size = 12


class Outer(metaclass=Meta):
    depth = SIZES[0]

    class Inner:
        width = 13

    @functools.cached_property
    def cached(self):
        return 14

    @property
    def rate(self):
        return 15

    @rate.setter
    def rate(self, value):
        self.value = value + 16


MODEL = Outer()
MODEL.extra = 17


def make(scales):
    def loop(config, folder):
        yield {"epoch": 1, "scales": scales}

    return loop


@timed
def train(config, folder, rate=RATE):
    import within
    from beside import late

    yield {"epoch": 1, "loss": middle() + TABLE["x"]() + MODEL.rate + arrays.ONE + SPEED}
    beside.parts.FOUR
    return {}


def colours():
    return COLOURS


if __name__ == "__main__":
    print(COLOURS, train)
"""
BESIDE = {
    "arrays.py": "ONE = 21",
    "via.py": "from deeper import middle\n",
    "deeper.py": "def middle():\n    return 22\n",
    "within.py": "TWO = 23",
    "beside/__init__.py": "from . import inner\n",
    "beside/inner.py": "THREE = 24",
    "beside/parts.py": "FOUR = 25",
    "beside/late.py": "FIVE = 26",
    "unused.py": "SIX = 27",
}
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


@pytest.fixture
def reached_hash(tmp_path, monkeypatch):
    """The hash of a function of REACHES after a change of one of the files."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def build(old="", new="", find=lambda module: module.train):
        texts = {"reaches.py": REACHES, **BESIDE}
        assert not old or any(old in text for text in texts.values())
        for name, text in texts.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text.replace(old, new) if old else text)
        forget()
        importlib.invalidate_caches()
        return source_sha256(find(importlib.import_module("reaches")))

    def forget():
        for name in list(sys.modules):
            if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in (
                sys.modules[name].__file__ or ""
            ):
                del sys.modules[name]

    yield build
    forget()


@pytest.mark.parametrize(
    "change",
    [
        ("RATE = 1.5", "RATE = 1.6"),
        ("SIZES = (1, 2)", "SIZES = (2, 2)"),
        ("lambda: 10", "lambda: 11"),
        ("y=11", "y=12"),
        ("[31, ", "[32, "),
        ("size = 12", "size = 13"),
        ("width = 13", "width = 14"),
        ("return 14", "return 15"),
        ("return 15", "return 16"),
        ("value + 16", "value + 17"),
        ("MODEL.extra = 17", "MODEL.extra = 18"),
        ('"5"', '"6"'),
        ("ONE = 21", "ONE = 22"),
        ("return 22", "return 23"),
        ("TWO = 23", "TWO = 24"),
        ("THREE = 24", "THREE = 25"),
        ("FOUR = 25", "FOUR = 26"),
        ("FIVE = 26", "FIVE = 27"),
    ],
)
def test_what_stands_behind_defaults_decorators_classes_tables_and_imports_counts(
    reached_hash, change
):
    assert reached_hash(*change) != reached_hash()


@pytest.mark.parametrize(
    "change",
    [('["red"]', '["blue"]'), ("SIX = 27", "SIX = 28"), ("import os\n", "import os  # !\n")],
)
def test_what_the_function_does_not_reach_does_not_count(reached_hash, change):
    assert reached_hash(*change) == reached_hash()


def test_values_that_a_function_closes_over_and_that_its_file_computes_count(
    reached_hash, monkeypatch
):
    def hashes():
        return [
            reached_hash(find=lambda module, scales=scales: module.make(scales))
            for scales in ([1, {2}], [1, {3}], [np.ones(2)], [np.zeros(2)])
        ]

    assert len(set(hashes())) == 4
    assert hashes() == hashes()
    before = reached_hash()
    monkeypatch.setenv("SPEED_OF_TEST", "7")
    assert reached_hash() != before


def test_functions_without_a_file_count_by_their_code_and_variables():
    def hash_of_text(text, width=1):
        module = types.ModuleType("notebook")
        sys.modules["notebook"] = module
        vars(module)["WIDTH"] = width
        exec(text, vars(module))
        found = source_sha256(module.train)
        del sys.modules["notebook"]
        return found

    text = "def half(x):\n  return x / 2\n\ndef train(c, f):\n  yield {'epoch': half(WIDTH)}\n"
    first = hash_of_text(text)
    assert first == hash_of_text(text)
    assert len({first, hash_of_text(text, 2), hash_of_text(text.replace("/ 2", "/ 3"))}) == 3


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
    assert list(trainer.words.inputs.values()) == ["Trainer's source"]


def test_what_yields_no_rows_is_a_sentence_and_partials_have_a_name():
    for wrong in (None, 3, "train"):
        with pytest.raises(
            TypeError, match=f"from_function takes a generator function; got {wrong!r}"
        ):
            from_function(wrong, {})
    trainer = from_function(lambda config, folder: 3, {})
    with pytest.raises(TypeError, match="must yield a row an epoch; it returned 3"):
        trainer.train({}, Path())
    partial_trainer = from_function(functools.partial(train), {})
    with pytest.raises(ValueError, match="train must be the code with which"):
        partial_trainer.prepare(request(a={"function_sha256": "0" * 64}))


VALUES = """
import functools
import json
from dataclasses import dataclass

import beside_settings

REGISTRY = {}


def register(function):
    REGISTRY[function.__name__] = function
    return function


@register
def helper():
    return 1


def registered(config, folder):
    yield REGISTRY["helper"]()


def hook(pairs):
    return 2


parsed = functools.partial(json.loads, object_hook=hook)


def difference(a, b):
    def loop(config, folder):
        yield a - b

    return loop


def plain(config, folder, setting=None, other=None):
    yield setting


class Slotted:
    __slots__ = ("lr",)

    def __init__(self, lr):
        self.lr = lr

    def __call__(self, config, folder):
        yield self.lr


CYCLE = []
CYCLE.append(CYCLE)
VIEW, BIG = memoryview(b"abc"), 10**5000


def odd(config, folder):
    yield CYCLE, VIEW, BIG
"""
SETTINGS = """
from dataclasses import dataclass


@dataclass
class Settings:
    lr: float
"""


@pytest.fixture
def values(tmp_path, monkeypatch):
    """A function that imports VALUES, perhaps with a changed line."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "beside_settings.py").write_text(SETTINGS)

    def load(old="", new=""):
        assert old in VALUES
        (tmp_path / "values_of.py").write_text(VALUES.replace(old, new) if old else VALUES)
        sys.modules.pop("values_of", None)
        importlib.invalidate_caches()
        return importlib.import_module("values_of")

    yield load
    for name in ("values_of", "beside_settings"):
        sys.modules.pop(name, None)


def test_a_changed_function_in_a_registry_or_behind_a_librarys_counts(values):
    for name, old, new in (
        ("registered", "return 1", "return 3"),
        ("parsed", "return 2", "return 3"),
    ):
        before = source_sha256(getattr(values(), name))
        assert before == source_sha256(getattr(values(), name))
        assert before != source_sha256(getattr(values(old, new), name))


def test_closed_over_and_bound_values_count_by_their_names(values):
    module = values()
    settings = module.beside_settings.Settings
    functions = [
        module.difference(0.1, 0.2),
        module.difference(0.2, 0.1),
        module.Slotted(0.1),
        module.Slotted(0.2),
        *(
            functools.partial(module.plain, setting=one, other=module.helper)
            for one in (
                settings(0.1), settings(0.2), types.SimpleNamespace(lr=0.1), Path("a"), Path("b"), range(3), range(4),
                np.array(["a", "b"], object), np.array(["a", "c"], object),
            )
        ),
    ]  # fmt: skip
    hashes = [source_sha256(function) for function in functions]
    assert len(set(hashes)) == len(functions)
    assert hashes == [source_sha256(function) for function in functions]


def test_odd_values_and_functions_of_no_module_have_a_hash_too(values):
    assert source_sha256(values().odd) == source_sha256(values().odd)
    loose = {}
    exec("RATE = 0.1\ndef loop(config, folder):\n  yield RATE", loose)
    other = {}
    exec("RATE = 0.2\ndef loop(config, folder):\n  yield RATE", other)
    assert source_sha256(loose["loop"]) != source_sha256(other["loop"])
    module = values()
    for k in (1, 2):
        exec(f"def made{k}(config, folder):\n  yield {k}", vars(module))
    assert source_sha256(module.made1) != source_sha256(module.made2)
    vectorized = np.vectorize(module.plain)
    assert source_sha256(vectorized) == source_sha256(vectorized)
