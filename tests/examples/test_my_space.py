"""The example of a question of one's own, run as its reader would: from a file outside the clone."""

import shutil
import sys
from pathlib import Path

import pytest
from commands import finish, records_of

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "my_space.py"


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with a copy of the example."""
    shutil.copy(EXAMPLE, tmp_path)
    return tmp_path


def numbers_of(record):
    return record["config"], record["curve"], record["result"], record["status"]


@pytest.mark.slow
def test_it_is_run_to_its_page_and_its_trials_run_elsewhere(elsewhere):
    file = elsewhere / "results" / "momentum-quick" / "records.jsonl"
    command = [sys.executable, str(ROOT / "run_study.py"), "--space", "./my_space.py"]
    code, output = finish(command, elsewhere)
    assert code == 0, output
    whole = records_of(file)
    assert not [record for record in whole.values() if record["status"] == "failed"]
    page = (file.parent / "report.html").read_text()
    assert "Does momentum help gradient descent" in page

    code, output = finish([*command, "--plan", "--out", "shared"], elsewhere)
    assert code == 0, output
    words = ("--trials", "shared/trials.jsonl", "--records", "more.jsonl", "--at-once", "2")
    code, output = finish([*command, *words], elsewhere)
    assert code == 0, output
    more = records_of(elsewhere / "more.jsonl")
    assert len(more) == 6 * 4 * 2 + 2  # the searches; later stages follow from them
    assert all(numbers_of(record) == numbers_of(whole[id]) for id, record in more.items())


def test_its_training_function_is_short_and_knows_no_torch():
    source = EXAMPLE.read_text()
    function = source[source.index("def train(") : source.index("RATES =")]
    assert len(function.strip().splitlines()) <= 30
    assert "torch" not in function
    assert "import torch" not in source
