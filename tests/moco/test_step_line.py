"""The line of steps: where the run is, and how long the training still takes."""

import io

import pytest

from moco import step_line
from moco.step_line import StepLine, time_left


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (42, "about 42 s of training left"),
        (600, "about 10 min of training left"),
        (9000, "about 2.5 h of training left"),
    ],
)
def test_the_time_that_is_left_is_told_in_a_fitting_unit(seconds, words):
    assert time_left(seconds) == words


def test_epoch_step_and_time_follow_the_pace_and_the_line_is_cleared(monkeypatch):
    clock, written = iter([10.0, 12.0, 14.0]), io.StringIO()
    monkeypatch.setattr(step_line.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr("sys.stderr", written)
    line = StepLine(epochs=4)
    for done in (21, 22, 23):  # of 80: continued in the second epoch
        line(done, 80)
    line.clear()
    lines = written.getvalue().split("\r")
    assert lines[1].startswith("epoch 2/4  step 2/20  about 2 min of training left")
    assert lines[2].startswith("epoch 2/4  step 3/20  about 2 min of training left")
    assert lines[3] == "\033[K"
