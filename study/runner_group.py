"""How the data-parallel workers of a Ray Train run meet."""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import ray
import torch.distributed as dist
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend


def group_of(gpus: bool, alone: bool) -> TorchConfig:
    """gloo on CPUs, and on GPUs nccl beside it; on one machine alone they meet in a file: torch's own meeting point listens on all interfaces."""
    backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
    return MeetInFile(backend=backend) if alone else TorchConfig(backend=backend)


@dataclass
class MeetInFile(TorchConfig):
    """A process group without a port of its own."""

    @property
    def backend_cls(self) -> Any:
        """What Ray Train calls on the worker group."""
        return FileBackend


class FileBackend(_TorchBackend):
    """Ray's backend for torch but for the meeting point."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Lets all workers join."""
        meeting, count = Path(tempfile.mkdtemp(prefix="study-group-")) / "store", len(worker_group)
        joined = [
            worker_group.execute_single_async(rank, join, backend_config.backend, meeting, rank, count, backend_config.timeout_s)
            for rank in range(count)
        ]
        ray.get(joined)
        meeting.unlink(missing_ok=True)
        meeting.parent.rmdir()


def join(backend: str, meeting: Path, rank: int, count: int, seconds: int) -> None:
    """Runs in each worker."""
    dist.init_process_group(backend, init_method=meeting.as_uri(), rank=rank, world_size=count, timeout=timedelta(seconds=seconds))
