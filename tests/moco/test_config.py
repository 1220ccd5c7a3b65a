"""A wrong field is refused in a sentence; a right one survives JSON."""

import json

import pytest

from moco.config import Config
from moco.trainer.dataset_facts import complete


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
        complete(values, "digits")


def test_a_config_is_the_same_after_a_trip_through_json():

    values = complete({"lr": 3, "seed": 4}, "digits")
    assert json.loads(json.dumps(values)) == values
    assert Config.of(json.loads(json.dumps(values))).to_dict() == values
    assert values["lr"] == 3.0
