"""Training of narrow ResNets ends in no signal, whatever the number of threads."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from moco.model.convolution import SmallMapConv2d, overruns_memory

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_no_number_of_threads_corrupts_memory():
    """Each case in a child process whose allocator checks its heap; see the benchmark's docstring."""
    words = [sys.executable, "-m", "benchmarks.memory_overruns", "--quick"]
    child = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert child.returncode == 0, child.stdout + child.stderr
    assert child.stdout.count("ran") == 2


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "images", "pixels", "threads", "avoided"),
    [
        (8, 1, 2, 64, 4, 3, True),
        (8, 1, 2, 64, 4, 2, False),
        (8, 1, 2, 63, 4, 3, False),
        (8, 1, 2, 64, 32, 1, False),
        (8, 1, 2, 64, 34, 1, True),
        (8, 1, 1, 64, 64, 3, False),
        (8, 3, 2, 64, 64, 3, False),
        (16, 1, 2, 64, 64, 3, False),
    ],
)
def test_the_kernel_is_avoided_where_it_may_overrun_and_nowhere_else(
    channels, kernel, stride, images, pixels, threads, avoided, monkeypatch
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    convolution = SmallMapConv2d(channels, 4, kernel, stride=stride, padding=kernel // 2)
    assert overruns_memory(convolution, torch.empty(images, channels, pixels, pixels)) is avoided


def test_the_other_way_gives_the_same_numbers_and_gradients(monkeypatch):
    torch.manual_seed(0)
    ours = SmallMapConv2d(8, 12, 1, stride=2, bias=False)
    x = torch.rand(5, 8, 9, 9).to(memory_format=torch.channels_last)
    results = []
    for threads in (1, 2):  # 2 do not share 5 images evenly
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert overruns_memory(ours, x) is (threads == 2)
        inputs = x.clone().requires_grad_()
        ours.zero_grad()
        y = ours(inputs)
        y.square().sum().backward()
        results.append((y.detach(), inputs.grad, ours.weight.grad.clone()))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
