"""Device and precision of a run."""

from dataclasses import replace

import pytest
import torch

from moco import device
from moco.device import pick_device, pick_precision


def test_on_a_cpu_images_whose_last_stage_begins_with_one_pixel_are_float32(config, monkeypatch):
    monkeypatch.setattr(device, "has_fast_bfloat16", lambda kind: True)
    config = replace(config, precision="auto")
    for stem, size, dtype in (
        ("imagenet", 16, torch.float32),
        ("imagenet", 17, torch.bfloat16),
        ("strided", 8, torch.float32),
        ("strided", 9, torch.bfloat16),
        ("small", 4, torch.float32),
        ("small", 5, torch.bfloat16),
    ):
        assert pick_precision(replace(config, stem=stem), torch.device("cpu"), size) == dtype
    assert (
        pick_precision(replace(config, stem="imagenet"), torch.device("cuda"), 16) == torch.bfloat16
    )
    with pytest.raises(ValueError, match="at least 17 px with the imagenet stem; got 16"):
        pick_precision(
            replace(config, stem="imagenet", precision="bfloat16"), torch.device("cpu"), 16
        )


def test_a_device_that_is_not_there_is_refused():
    assert pick_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device cuda is not on this machine; it has"):
            pick_device("cuda")


@pytest.mark.parametrize(
    ("words", "fast"),
    [
        ({"GenuineIntel", "avx512_bf16", "amx_bf16"}, True),
        ({"GenuineIntel", "avx512_bf16"}, False),
        ({"AuthenticAMD", "avx512_bf16"}, True),
        ({"AuthenticAMD", "avx2"}, False),
        ({"bf16"}, False),
        (set(), False),
    ],
)
def test_bfloat16_is_chosen_only_on_cpus_where_it_was_measured_to_be_faster(
    words, fast, config, monkeypatch
):
    monkeypatch.setattr(device, "cpu_words", lambda: frozenset(words))
    device.has_fast_bfloat16.cache_clear()
    auto = replace(config, precision="auto")
    dtype = pick_precision(auto, torch.device("cpu"), 32)
    device.has_fast_bfloat16.cache_clear()
    assert dtype == (torch.bfloat16 if fast else torch.float32)


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [
        ((5, 2), torch.float32),
        ((6, 0), torch.float16),  # P100
        ((7, 5), torch.float16),  # T4
        ((8, 0), torch.bfloat16),
        ((9, 0), torch.bfloat16),
    ],
)
def test_a_gpu_without_bfloat16_trains_in_float16(capability, dtype, config, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    for choice in (device.has_fast_bfloat16, device.needs_float16):
        choice.cache_clear()
    auto = replace(config, precision="auto")
    assert pick_precision(auto, torch.device("cuda"), 32) == dtype
    for choice in (device.has_fast_bfloat16, device.needs_float16):
        choice.cache_clear()
