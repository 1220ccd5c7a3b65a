"""Runs a study's trials on Ray: Tune schedules them, a trial of several workers is a Ray Train run.

`study.runner_settings.settle` comes before the import of this module, since Ray reads the environment when it is imported.
"""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import ray
import torch.distributed as dist
from ray.air.execution._internal import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend


def survive_memory_kills() -> None:
    """Where Ray kills a process for want of memory, Tune 2.60 ends the whole experiment; to it that is now a death like any other."""
    original = RayActorManager._actor_task_failed

    def failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            exception = RayActorError(error_msg=str(exception))
        original(self, tracked_actor_task, exception)

    if original.__name__ != "failed":
        setattr(RayActorManager, "_actor_task_failed", failed)  # noqa: B010


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
            worker_group.execute_single_async(
                rank, join, backend_config.backend, meeting, rank, count, backend_config.timeout_s
            )
            for rank in range(count)
        ]
        ray.get(joined)
        meeting.unlink(missing_ok=True)
        meeting.parent.rmdir()


def join(backend: str, meeting: Path, rank: int, count: int, seconds: int) -> None:
    """Runs in each worker."""
    dist.init_process_group(
        backend,
        init_method=meeting.as_uri(),
        rank=rank,
        world_size=count,
        timeout=timedelta(seconds=seconds),
    )


def show(name: str) -> None:
    """Puts the name into the list of processes, of top and of the dashboard's cluster page: Ray's own means, since it owns that place."""
    if rename := getattr(ray._raylet, "setproctitle", None):
        rename(f"ray::{name}")
