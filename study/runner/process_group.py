"""How the data-parallel workers of a Ray Train run meet. Imports torch: only where several run."""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import ray
import torch.distributed as dist
from ray.train.torch import TorchConfig

from study.runner.ray_patches import torch_backend_class

TorchBackend: Any = torch_backend_class()


def make_torch_config(*, has_gpus: bool, is_local: bool) -> TorchConfig:
    """The workers' process group: gloo on CPUs, and on GPUs nccl beside it.

    Args:
        is_local: all workers run on this machine; they then meet in a file, since torch's own
            meeting point listens on all interfaces.
    """
    backend = "cpu:gloo,cuda:nccl" if has_gpus else "gloo"
    kind = FileConfig if is_local and TorchBackend else TorchConfig
    return kind(backend=backend)


@dataclass
class FileConfig(TorchConfig):
    """A process group without a port of its own."""

    @property
    def backend_cls(self) -> Any:
        """The class whose hooks Ray Train calls with the worker group."""
        return FileBackend


class FileBackend(TorchBackend or object):  # type: ignore[misc]
    """Ray's torch backend, except for the meeting point."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Let all workers join."""
        store = Path(tempfile.mkdtemp(prefix="study-group-")) / "store"
        count, seconds = len(worker_group), backend_config.timeout_s
        joins = [
            worker_group.execute_single_async(
                rank, join_group, backend_config.backend, store, rank, count, seconds
            )
            for rank in range(count)
        ]
        ray.get(joins)
        store.unlink(missing_ok=True)
        store.parent.rmdir()


def join_group(backend: str, store: Path, rank: int, count: int, seconds: int) -> None:
    """Join the process group; called in each worker."""
    dist.init_process_group(
        backend,
        init_method=store.as_uri(),
        rank=rank,
        world_size=count,
        timeout=timedelta(seconds=seconds),
    )
