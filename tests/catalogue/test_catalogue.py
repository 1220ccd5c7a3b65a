"""The catalogue: what cannot be meant ends in its exit code and one sentence, through the real commands."""

import re

import pytest
from rows import ROWS

import run_study
from moco import __main__ as pretraining

PROGRAMS = {"run_study.py": run_study.main, "moco": pretraining.main}
# words of Python that say nothing to who gave the input
PYTHON = re.compile(
    r"Traceback|invalid literal|object has no|NoneType|\[Errno|positional argument|<class |KeyError"
)
OWN_FAILURE = "it failed ("  # what code of one's own raised follows, as it was raised


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_it_ends_in_its_sentence(row, make_places, capfd):
    make_places(row.places)
    try:
        code = PROGRAMS[row.program](row.words)
    except SystemExit as end:
        code = end.code
    out, err = capfd.readouterr()
    assert code == row.code, err or out
    for part in row.parts:
        assert part in (out + err)
    assert not PYTHON.search(err) or OWN_FAILURE in err
    if row.code == 2:
        assert err.count("\n") == 1


def test_the_catalogue_is_whole():
    assert len(ROWS) >= 250
    assert not [str(row) for row in ROWS if not row.parts]
    commands = [(row.program, *row.words, *row.places) for row in ROWS]
    assert len(set(commands)) == len(commands)
