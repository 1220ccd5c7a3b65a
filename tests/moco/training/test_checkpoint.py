"""Checkpoints of two generations, each intact or absent; no code in a file is executed."""

import pickle

import pytest
import torch

from moco.training import checkpoint


@pytest.fixture
def file(tmp_path):
    return tmp_path / "checkpoint.pt"


def test_the_newest_generation_is_read_or_the_one_before_if_it_is_truncated(file):
    assert checkpoint.load_checkpoint(file) is None
    for epoch in range(3):
        checkpoint.save_generation(file, {"epoch": epoch, "weight": torch.full((100,), epoch)})
    assert checkpoint.load_checkpoint(file)["epoch"] == 2
    content = file.read_bytes()
    for length in range(0, len(content), 97):
        file.write_bytes(content[:length])
        assert checkpoint.load_checkpoint(file)["epoch"] == 1, length
        assert (
            not file.exists()
        )  # renamed, so that the next save does not replace the intact one by it
    checkpoint.previous_path(file).write_bytes(b"truncated as well")
    assert checkpoint.load_checkpoint(file) is None


def test_a_kill_between_the_two_moves_leaves_the_generation_before(file):
    checkpoint.save_generation(file, {"epoch": 0})
    file.replace(checkpoint.previous_path(file))  # what a kill before the second move leaves
    assert checkpoint.load_checkpoint(file)["epoch"] == 0
    checkpoint.save_generation(file, {"epoch": 1})
    assert checkpoint.load_checkpoint(file)["epoch"] == 1


def test_a_file_that_cannot_be_read_now_is_not_taken_for_a_damaged_one(file):
    file.mkdir()
    with pytest.raises(OSError, match="it is a folder"):
        checkpoint.load_checkpoint(file)


def test_a_file_that_would_run_code_is_not_loaded(file):
    class Trap:
        def __reduce__(self):
            return (print, ("ran",))

    file.write_bytes(pickle.dumps(Trap(), protocol=2))
    assert checkpoint.load_checkpoint(file) is None
