"""A wrong field is refused in a sentence; a right one survives JSON."""

import json
import re
from dataclasses import fields

import pytest

from moco.config import RULES, Config, option_of
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
        ({"stem": "large"}, "stem must be one of small, strided, imagenet; got 'large'"),
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


def values_beyond(option):
    """A value just beyond each limit of a field, with the sentence that refuses it."""
    if option.choices:
        yield "something else", "must be one of"
    if option.above is not None:
        yield option.above, "must be above"
    if option.low is not None:
        yield option.low - 1, "must lie in" if option.high == 1 else "must be .* or more"
    if option.high is not None:
        yield option.high * 2, "must lie in" if option.high == 1 else "must be at most"


@pytest.mark.parametrize("field", fields(Config), ids=lambda field: field.name)
def test_the_limits_of_a_field_follow_from_its_declaration(field):
    option, kind = option_of(field), type(field.default)
    assert option.help
    beyond = list(values_beyond(option))
    assert beyond or kind is str, "every number has a limit"
    for value, sentence in beyond:
        with pytest.raises(ValueError, match=f"^{field.name} {sentence}.*; got"):
            Config.of({field.name: kind(value)})


@pytest.mark.parametrize("field", fields(Config), ids=lambda field: field.name)
def test_a_field_takes_its_default_its_choices_and_its_bounds(field):
    option = option_of(field)
    bounds = [bound for bound in (option.low, option.high) if bound is not None]
    for value in (field.default, *option.choices, *bounds):
        assert option.problem(field.name, value) == ""


BROKEN_RULES = (  # an example of each of RULES, in their order
    {"validation_share": 1.0},
    {"probe_lr_low": 1.0, "probe_lr_high": 2.0},
    {"probe_each": "on", "probe_optimizer": "lbfgs"},
    {"pictures": 1, "attention": "layer2", "probe_features": "standardised"},
    {"method": "pixels", "pictures": 2},
    {"attention_heads": "independent"},
    {"encoder": "timm:resnet18", "attention": "layer2"},
    {"method": "frozen", "attention": "layer2"},
    {"method": "pixels", "attention": "layer2"},
    {"method": "pixels", "weights": "torchvision"},
    {"method": "pixels", "finetune_epochs": 1},
    {"warmup_epochs": 3.0, "epochs": 2},
    {"batch_size": 6, "batch_norm_splits": 4},
)


@pytest.mark.parametrize(("rule", "values"), list(zip(RULES, BROKEN_RULES, strict=True)))
def test_a_rule_between_fields_refuses_what_breaks_it_in_its_own_words(rule, values):
    constant, _, _ = rule.message.partition("{")
    with pytest.raises(ValueError, match=f"^{re.escape(constant)}"):
        Config.of(values)
