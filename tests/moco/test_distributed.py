"""Two data-parallel workers with half the batch each follow one worker with all of it."""

import copy
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from moco import distributed
from moco.model.batch_norm import SyncBatchNorm2d
from moco.training.contrastive import pretrain

ROOT = Path(__file__).parents[2]


def worker(rank, config, dataset, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    epochs = list(pretrain(config, dataset, dataset.train.images))
    torch.save(
        {"losses": [epoch.metrics.loss for epoch in epochs], "model": epochs[-1].state["model"]},
        f"{folder}/{rank}.pt",
    )
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "tolerance"),
    [
        # two groups on each worker, four on one worker
        ({"batch_norm": "shuffle", "batch_norm_splits": 4}, 1e-3),
        (
            {
                "batch_norm": "split",
                "batch_norm_splits": 2,
                "loss": "symmetric_mean",
                "own_keys": "mask",
            },
            1e-3,
        ),
        (
            {
                "attention": "layer2+layer3",
                "attention_score": "parametrised",
                "batch_norm_splits": 4,
            },
            1e-3,
        ),
        # other kernels round differently, and the steps amplify that; exact below
        ({"batch_norm": "sync", "queue_size": 100}, 1e-2),
    ],
)
def test_two_gloo_workers_follow_one_worker_and_share_one_queue(
    config, dataset, tmp_path, changes, tolerance
):
    config = replace(config, **{"lr": 0.003, "batch_size": 48, "epochs": 12, **changes})  # 24 steps
    mp.spawn(worker, args=(config, dataset, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first["losses"] == second["losses"]
    for name in first["model"]:  # queue, weights and statistics, bit for bit
        assert torch.equal(first["model"][name], second["model"][name]), name
    *_, alone = epochs = list(pretrain(config, dataset, dataset.train.images))
    assert first["losses"] == pytest.approx([epoch.metrics.loss for epoch in epochs], rel=tolerance)
    for name, value in alone.state["model"].items():
        torch.testing.assert_close(
            first["model"][name],
            value,
            rtol=10 * tolerance,
            atol=tolerance if "queue" not in name else 10 * tolerance,
        )


def normalise(rank, layer, x, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    layer = copy.deepcopy(layer)  # spawned workers share the memory of what they are handed
    mine = x.chunk(2)[rank].clone().requires_grad_()
    result = layer(mine)
    (result**3).mean().backward()
    distributed.average_gradients(layer.parameters())
    torch.save(
        {
            "result": result.detach(),
            "gradient": mine.grad,
            "weight": layer.weight.grad,
            "state": layer.state_dict(),
        },
        f"{folder}/{rank}.pt",
    )
    dist.destroy_process_group()


@pytest.mark.slow
def test_synchronised_batch_norm_of_two_workers_is_batch_norm_of_the_whole_batch(tmp_path):
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(8, 4, 3, 3, generator=draws, dtype=torch.float64) * 3 + 5
    mp.spawn(normalise, args=(SyncBatchNorm2d(4).double(), x, str(tmp_path)), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    alone = torch.nn.BatchNorm2d(4).double()
    whole = x.clone().requires_grad_()
    result = alone(whole)
    (result**3).mean().backward()
    torch.testing.assert_close(
        torch.cat([part["result"] for part in parts]), result.detach(), rtol=0, atol=1e-9
    )
    torch.testing.assert_close(
        torch.cat([part["gradient"] for part in parts]) / 2, whole.grad, rtol=0, atol=1e-9
    )
    for part in parts:
        torch.testing.assert_close(part["weight"], alone.weight.grad, rtol=0, atol=1e-9)
        torch.testing.assert_close(part["state"], alone.state_dict(), rtol=0, atol=1e-9)


@pytest.mark.slow
def test_plain_batch_norm_of_two_workers_is_split_batch_norm_of_one(config, dataset, tmp_path):
    """Two groups on one worker are one group on each of two workers."""
    config = replace(config, lr=0.003, epochs=1, batch_norm="plain")
    mp.spawn(worker, args=(config, dataset, str(tmp_path)), nprocs=2)
    first = torch.load(tmp_path / "0.pt", weights_only=True)
    *_, alone = pretrain(
        replace(config, batch_norm="split", batch_norm_splits=2), dataset, dataset.train.images
    )
    for name, value in alone.state["model"].items():
        torch.testing.assert_close(first["model"][name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_torchrun_starts_workers_that_write_one_result(tmp_path):
    options = f"--out {tmp_path / 'run'} --data-dir {tmp_path} --width 0.0625 --epochs 1"
    options += " --queue-size 64 --train-images 200"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "moco", *options.split()]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("linear probe") == 1
    assert "workers 2" in done.stdout
