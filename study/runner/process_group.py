"""How the data-parallel workers of a Ray Train run meet."""

from ray.train.torch import TorchConfig

from study.runner.ray_patches import MeetInFile


def group_of(gpus: bool, alone: bool) -> TorchConfig:
    """gloo on CPUs, and on GPUs nccl beside it; on one machine alone they meet in a file: torch's own meeting point listens on all interfaces."""
    backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
    return MeetInFile(backend=backend) if alone else TorchConfig(backend=backend)
