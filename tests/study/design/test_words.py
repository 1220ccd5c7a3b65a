"""A trainer's words as a plan's file keeps them."""

from dataclasses import asdict

from study.design.words import EpochNumber, FixedField, Words


def test_they_come_back_from_their_file_and_those_of_a_later_version_are_passed_by():
    words = Words(
        epochs="epochs",
        fixed=(FixedField("batch", ("method", ("a", "b"))),),
        live=(EpochNumber("loss", "loss"),),
        packages=("numpy",),
        terms={"Score": "what is made up"},
    )
    values = asdict(words)
    assert Words.from_dict(values) == words
    assert Words.from_dict({**values, "of a later version": 3}) == words
