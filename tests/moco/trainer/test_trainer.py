"""MoCo as a study's trainer: the contract is whole, and where training begins is said once."""

import inspect
from dataclasses import replace

import pytest
import torch

from moco.config import Config
from moco.data.cache import load_dataset
from moco.model.encoder import build_encoder
from moco.model.published_weights import GIVEN, with_local_weights
from moco.model.weights import file_sha256
from moco.trainer.trainer import MOCO, start_of
from study.design.facts import DataFacts
from study.design.trainer import Request, Trainer
from study.design.words import Words

ARMS = {"red": {"colour": "red"}, "blue": {"colour": "blue"}}
NAMED = {**ARMS, "given": {"weights": GIVEN}, "theirs": {"weights": "fair-moco-v2"}}
SHARED = {"image_size": 8, "width": 0.0625, "batch_size": 16, "queue_size": 32, "device": "cpu"}


def request(tmp_path, weights=None, arms=ARMS, **changes):
    """What a study asks for; `changes` are to its fields."""
    overrides = changes.pop("overrides", {})
    controls = changes.pop("controls", {})
    return Request("digits", tmp_path, {}, arms, controls, overrides, weights, **changes)


def start(tmp_path, *asked, **changes):
    """Fields of all trials, and the file that is given."""
    found = start_of(request(tmp_path, *asked, **changes))
    return found.fields, found.given


def test_it_has_every_method_of_the_contract():
    methods = [name for name, value in vars(Trainer).items() if inspect.isfunction(value)]
    methods = [name for name in methods if not name.startswith("_")]
    assert "train" in methods
    for name in methods:
        ours = list(inspect.signature(getattr(MOCO, name)).parameters)
        assert ours == list(inspect.signature(getattr(Trainer, name)).parameters)[1:], name


def test_its_words_and_facts_are_those_that_a_study_reads(tmp_path):
    assert set(MOCO.words._fields) <= set(Words.__dataclass_fields__)
    words = Words.of(MOCO.words)
    assert words.epochs == "epochs"
    assert {field.name for field in words.fixed} <= set(MOCO.complete({}))
    prepared = MOCO.prepare(replace(request(tmp_path, arms={"plain": {}}), shared=SHARED))
    facts = DataFacts.of(prepared.data)
    assert (facts.name, facts.test_items) == ("digits", 397)
    assert set(prepared.data._fields) <= set(DataFacts.__dataclass_fields__)
    assert prepared.fields == {"dataset": "digits"}
    assert set(prepared.inputs) == {"cached"}


def test_completing_checks_and_fills_in_and_twice_is_once():
    whole = MOCO.complete({"epochs": 3})
    assert whole == MOCO.complete(whole) == Config(epochs=3).to_dict()
    with pytest.raises(ValueError, match="nonsense is no field of a trial"):
        MOCO.complete({"nonsense": 1})


def test_weights_are_for_all_unless_an_arm_names_or_takes_them(tmp_path):
    fair = "fair-moco-v2"
    assert start(tmp_path, "some.pt") == ({"weights": GIVEN}, "some.pt")
    assert (
        start(tmp_path, fair)
        == start(tmp_path, overrides={"weights": fair})
        == ({"weights": fair}, fair)
    )
    assert start(tmp_path) == ({}, "")
    assert start(tmp_path, "some.pt", NAMED) == ({}, "some.pt")
    assert start(tmp_path, fair, NAMED) == ({}, "")
    with pytest.raises(ValueError, match=r"--weights must be one of .*fair.*, or a file; got ''"):
        start(tmp_path, "")
    with pytest.raises(ValueError, match="must be the same"):
        start(tmp_path, "some.pt", overrides={"weights": "other.pt"})
    with pytest.raises(ValueError, match="--set weights would give its file to every arm of"):
        start(tmp_path, arms=NAMED, overrides={"weights": "some.pt"})


def test_an_arm_that_is_plain_batch_norm_over_these_workers_is_absent(tmp_path):
    arms = {"plain": {"batch_norm": "plain"}, "sync": {"batch_norm": "sync"}}
    shared = {**SHARED, "batch_norm_splits": 2}
    absent = MOCO.prepare(replace(request(tmp_path, arms=arms), shared=shared)).absent
    assert list(absent) == ["sync"]
    assert "give --workers 2" in absent["sync"]
    both = replace(request(tmp_path, arms=arms, workers=2), shared=shared)
    assert MOCO.prepare(both).absent == {}


def test_where_no_arm_can_be_run_the_reason_is_an_error(tmp_path):
    arms = {"further": {"pretrain_split": "train+unlabelled"}}
    with pytest.raises(ValueError, match="has no split unlabelled"):
        MOCO.prepare(replace(request(tmp_path, arms=arms), shared=SHARED))


def test_weights_of_all_trials_that_are_nowhere_are_an_error_and_of_one_arm_are_not(tmp_path):
    with pytest.raises(ValueError, match="published weights take colour images"):
        MOCO.prepare(replace(request(tmp_path, "torchvision", {"plain": {}}), shared=SHARED))
    arms = {"plain": {}, "theirs": {"weights": "torchvision"}}
    absent = MOCO.prepare(replace(request(tmp_path, arms=arms), shared=SHARED)).absent
    assert list(absent) == ["theirs"]


def test_controls_begin_with_the_weights_that_all_trials_have(tmp_path):
    file = tmp_path / "encoder.pt"
    torch.save(build_encoder(Config.of(SHARED), 1).backbone.state_dict(), file)
    controls = {"untrained": {"method": "frozen"}, "pixels": {"method": "pixels", "weights": ""}}
    asked = request(tmp_path, str(file), {"plain": {}}, controls=controls)
    prepared = MOCO.prepare(replace(asked, shared=SHARED))
    digest = {"weights_sha256": file_sha256(file)}
    assert prepared.found == {"plain": digest, "untrained": digest}
    frozen = {**SHARED, **prepared.fields, **controls["untrained"], **prepared.found["untrained"]}
    files = {name: path for name, path in prepared.inputs.items() if name != "cached"}
    assert with_local_weights(Config.of(frozen), files).weights == str(file)


def test_trials_of_pixels_alone_run_beside_weights_that_they_do_not_read(tmp_path):
    file = tmp_path / "encoder.pt"
    torch.save(build_encoder(Config.of(SHARED), 1).backbone.state_dict(), file)
    pixels = {**SHARED, "image_size": 12, "method": "pixels", "weights": ""}
    prepared = MOCO.prepare(request(tmp_path, str(file), {"a": pixels}))
    assert load_dataset(prepared.inputs["cached"]).train.images.shape[2] == 12
