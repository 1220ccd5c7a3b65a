"""Everything private of Ray that this program touches, each with its reason.

All of it was seen with Ray 2.60.0. Each function looks for the private name first; where another
version lacks it, nothing is patched, and the docstring says what is then lost.
"""

from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import OutOfMemoryError, RayActorError

# a resource of a cluster's head node alone (`_common/constants.py`)
HEAD_NODE = "node:__internal_head__"


class DriverOnly:
    """A callback, search or scheduler that stays in the driver's process.

    Tune pickles all three when an experiment is set up and whenever it saves its state
    (`tune/impl/tuner_internal.py`, `tune/execution/experiment_state.py`), although it uses the
    originals. They hold locks, files and a terminal, which cannot be pickled, and nothing of them
    is ever restored: records.jsonl is the state.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {}


def survive_memory_kills() -> None:
    """Let a trial whose process Ray kills for want of memory be lost like any other.

    Tune knows `RayActorError` alone (`air/execution/_internal/actor_manager.py`); an
    `OutOfMemoryError` ends the whole experiment. Without the patch it still does.
    """
    try:
        from ray.air.execution._internal import RayActorManager
    except ImportError:
        return
    original = getattr(RayActorManager, "_actor_task_failed", None)
    if original is None or getattr(original, "is_patched", False):
        return

    def report_failure(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, OutOfMemoryError):
            exception = RayActorError(error_msg=str(exception))
        original(self, tracked_actor_task, exception)

    report_failure.is_patched = True  # type: ignore[attr-defined]
    RayActorManager._actor_task_failed = report_failure  # type: ignore[method-assign]


def logs_place() -> str:
    """Where Ray's logs lie, as "in FOLDER"; another version may not say, which loses the path."""
    node = getattr(getattr(ray._private, "worker", None), "_global_node", None)
    find = getattr(node, "get_logs_dir_path", None)
    return f"in {find()}" if find else "among Ray’s logs"


def is_ray_client() -> bool:
    """Whether this process is connected by `ray://`; other versions may have no such client."""
    client = getattr(ray.util, "client", None)
    return client is not None and bool(client.ray.is_connected())


def run_tune(trainable: Any, scratch: Path, **options: Any) -> None:
    """Run a Tune experiment whose loop stays in this process, also under Ray's client.

    Tune would move its loop into the cluster (`_remote`, `tune/tune.py`), where callbacks and
    records are not. In this process it then asks for the node's session folder, which a client
    does not have (`train/_internal/storage.py`): `scratch` takes its place.
    """
    if is_ray_client():
        from ray.train._internal import storage

        if hasattr(storage, "_get_ray_train_session_dir"):
            storage._get_ray_train_session_dir = lambda: str(scratch)
    tune.run(trainable, storage_path=str(scratch), _remote=False, **options)


def set_process_title(title: str) -> None:
    """Show a title in the list of processes, of top and of the dashboard's cluster page.

    Ray owns the title of its workers (`_raylet.setproctitle`, `_private/worker.py`), so another
    library's change would not last. Without it, workers keep Ray's titles.
    """
    if rename := getattr(getattr(ray, "_raylet", None), "setproctitle", None):
        rename(f"ray::{title}")


def torch_backend_class() -> Any:
    """Ray Train's base class of torch backends (`train/torch/config.py`), or None.

    A subclass lets workers meet in a file. Without it they meet at torch's own meeting point,
    which listens on all interfaces. Imports torch.
    """
    from ray.train.torch import config

    return getattr(config, "_TorchBackend", None)
