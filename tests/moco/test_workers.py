"""Two data-parallel workers with half the batch each follow one worker with all of it."""

from dataclasses import replace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from moco.pretrain import pretrain


def worker(rank, config, dataset, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    epochs = list(pretrain(config, dataset, dataset.train))
    torch.save({"losses": [epoch.metrics.loss for epoch in epochs], "model": epochs[-1].state["model"]}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_gloo_workers_follow_one_worker_and_share_one_queue(config, dataset, tmp_path):
    config = replace(config, lr=0.003, epochs=4)
    mp.spawn(worker, args=(config, dataset, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert torch.equal(first["model"]["queue.keys_KC"], second["model"]["queue.keys_KC"])
    *_, alone = epochs = list(pretrain(config, dataset, dataset.train))
    assert first["losses"] == second["losses"]
    assert first["losses"] == pytest.approx([epoch.metrics.loss for epoch in epochs], rel=1e-3)
    for name, value in alone.state["model"].items():
        if name.startswith("query_encoder") and "running" not in name and "tracked" not in name:
            torch.testing.assert_close(first["model"][name], value, rtol=1e-2, atol=1e-3)
