"""Recorded passes give the numbers of passes that are launched kernel by kernel."""

import pytest
import torch

from moco.config import Config
from moco.data.dataset import Dataset, Split
from moco.training.contrastive import Pretraining
from moco.training.cuda_graphs import can_record

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="it takes a GPU")
TIMES = ("seconds", "images_per_second")
KINDS = {
    "split statistics": {},
    "plain statistics": {"batch_norm": "plain"},
    "float32": {"precision": "float32"},
    "masked own keys": {"own_keys": "mask"},
    "attention": {"attention": "layer2+layer3"},
    "bottlenecks": {"encoder": "resnet50", "stem": "imagenet"},
    "Adam": {"optimizer": "adam", "lr": 1e-3},
}


def noise(images: int) -> Dataset:
    pixels = torch.randint(
        0, 256, (images, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    split = Split(pixels, torch.arange(images) % 10)
    names = tuple(str(i) for i in range(10))
    return Dataset(
        name="noise", title="noise", bundled=True, views="moco_v2", classes=names, train=split,
        test=split, extra=None, extra_name="",
        mean=(0.5,) * 3, std=(0.25,) * 3, modes={}, sizes={}, fingerprint="",
    )  # fmt: skip


def training(fields: dict[str, object], recorded: bool) -> Pretraining:
    values = {
        "dataset": "noise", "image_size": 32, "epochs": 3, "batch_size": 64, "queue_size": 256,
        "width": 0.25, "stem": "small", "device": "cuda",
    }  # fmt: skip
    dataset = noise(256)
    run = Pretraining(Config.of({**values, **fields}), dataset, dataset.train.images)
    assert run.records_graphs
    run.records_graphs = recorded
    return run


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_exist(kind: str) -> None:
    Config.of(KINDS[kind])


def numbers(run: Pretraining, epochs: int) -> list[tuple[float, ...]]:
    return [
        tuple(v for name, v in run.run_epoch().metrics._asdict().items() if name not in TIMES)
        for _ in range(epochs)
    ]


@needs_gpu
@pytest.mark.parametrize("kind", KINDS)
def test_recorded_passes_give_the_same_training(kind: str) -> None:
    launched, recorded = (training(KINDS[kind], recorded) for recorded in (False, True))
    assert str(numbers(launched, 3)) == str(numbers(recorded, 3))
    for ours, theirs in zip(
        recorded.moco.state_dict().values(), launched.moco.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


@needs_gpu
def test_a_run_that_is_resumed_records_again_and_gives_the_same_numbers() -> None:
    calm, stopped, resumed = (training({}, True) for _ in range(3))
    expected = numbers(calm, 3)
    numbers(stopped, 2)
    resumed.load_state_dict(stopped.state_dict())
    assert str(numbers(resumed, 1)) == str(expected[2:])


def test_only_a_single_asymmetric_pass_on_one_gpu_is_recorded() -> None:
    config = Config.of({"loss": "asymmetric"})
    assert can_record(config, torch.device("cuda"))
    assert not can_record(config, torch.device("cpu"))
    assert not can_record(Config.of({"loss": "symmetric_mean"}), torch.device("cuda"))
