"""A wrong field is refused in a sentence; a right one survives JSON."""

import json
from dataclasses import fields

import pytest

from moco.config import RULES, Config, limits_of
from moco.trainer.dataset_facts import complete_config


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"nonsense": 3}, "nonsense is no field of a trial; the fields are method, dataset"),
        ({"epochs": "many"}, "epochs must be a whole number; got 'many'"),
        ({"epochs": 2.5}, "epochs must be a whole number; got 2.5"),
        ({"lr": True}, "lr must be a number; got True"),
        ({"epochs": 0}, "epochs must be above 0; got 0"),
        ({"key_momentum": 1.5}, r"key_momentum must lie in \[0, 1\]; got 1.5"),
        ({"stem": "large"}, "stem must be one of small, imagenet; got 'large'"),
        ({"batch_size": 10, "batch_norm_splits": 4}, "multiple of batch_norm_splits"),
        (
            {"method": "frozen", "attention": "layer2"},
            "attention must be none for a frozen encoder",
        ),
        ({"optimizer": "lionel"}, "optimizer must be one of sgd"),
    ],
)
def test_a_wrong_field_is_refused_with_what_is_allowed(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        complete_config({**values, "dataset": "digits"})


def test_a_config_is_the_same_after_a_trip_through_json():

    values = complete_config({"lr": 3, "seed": 4})
    assert json.loads(json.dumps(values)) == values
    assert Config.of(json.loads(json.dumps(values))).to_dict() == values
    assert values["lr"] == 3.0


@pytest.mark.parametrize("field", fields(Config), ids=lambda field: field.name)
def test_the_limits_of_a_field_follow_from_its_declaration(field):
    """Each limit is tried just beyond it; a field without limits is one of free words."""
    limits = limits_of(field)
    assert limits.help
    kind = type(field.default)
    beyond = []
    if limits.choices:
        beyond.append("something else")
    if limits.above is not None:
        beyond.append(limits.above)
    if limits.low is not None:
        beyond.append(limits.low - 1)
    if limits.high is not None:
        beyond.append(limits.high * 2 if limits.high > 1 else 2)
    for value in beyond:
        with pytest.raises(ValueError, match=rf"^{field.name} must"):
            Config.of({field.name: value if limits.choices else kind(value)})


@pytest.mark.parametrize(
    "values",
    [
        {"validation_share": 1.0},
        {"probe_lr_low": 1.0, "probe_lr_high": 2.0},
        {"probe_each": "on", "probe_optimizer": "lbfgs"},
        {"pictures": 1, "attention": "layer2", "probe_features": "standardised"},
        {"attention_heads": "independent"},
        {"method": "frozen", "attention": "layer2"},
        {"warmup_epochs": 3.0, "epochs": 2},
        {"batch_size": 6, "batch_norm_splits": 4},
    ],
)
def test_every_rule_between_fields_is_broken_by_one_of_these(values):
    config = object.__new__(Config)
    for name, value in {**Config().to_dict(), **values}.items():
        object.__setattr__(config, name, value)
    assert sum(rule.is_broken(config) for rule in RULES) == 1
    with pytest.raises(ValueError, match="."):
        Config.of(values)


def test_there_is_an_example_of_every_rule():
    assert len(RULES) == 8
