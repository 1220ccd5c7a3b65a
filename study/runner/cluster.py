"""Where trials run: a Ray of this machine or an existing cluster, and how many of them fit."""

import importlib.util
import logging
import math
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.errors import StudyError, first_line, why
from study.runner.files.private import ray_folder
from study.runner.ray_patches import HEAD_NODE
from study.runner.ray_settings import NODE_SETTINGS
from study.runner.sessions import Guard, remove_sessions
from study.store.environment import cores, trials_on_gpu
from study.text import join_words

NODE_SECONDS = 60  # that a node may take to say what it has
NODES_INTERVAL = 2.0  # seconds at least between two looks at the nodes
NO_PLACE = (
    "Ray must start on this machine; {place} cannot be used ({why}). HOME and the temporary folder "
    "(TMPDIR) must be folders that you may write"
)
# what Ray and its workers print; the records and the live table say it all
OUTPUT: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
NOUNS = (("CPU", "core"), ("GPU", "GPU"))  # Ray's resources in words


class Cluster(NamedTuple):
    """Where the trials run and what each asks for."""

    address: str = ""  # of an existing Ray cluster; empty: this machine
    cpus: int = 0  # of this machine to use; 0: all
    cores: int = 1  # of each worker
    # of each worker: 0, a share of one, or 1; None: 1 where there are any
    gpus: float | None = None
    # wall time after which nothing begins and running trials stop after their epoch; 0: no limit
    hours: float = 0.0
    code: tuple[Path, ...] = ()  # packages that nodes of a cluster are sent
    modules: tuple[str, ...] = ()  # modules in sys.modules that workers are sent by value
    url: str = ""  # the study's folder where that is an address
    mlflow: str = ""  # a tracking URI
    wandb: str = ""  # a project


@contextmanager
def connect(cluster: Cluster) -> Iterator[str]:
    """Start Ray on this machine, or join a cluster, quietly; the dashboard's address.

    What was started ends with the `with` block, or with this process.

    Raises:
        StudyError: Ray does not start, or no cluster answers.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    # how a trial ended is in its record
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="ray")
    if ray.is_initialized():
        raise StudyError("Ray must not run in this process yet; call ray.shutdown() before a study")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with ExitStack() as stack:
        if cluster.address:
            stack.callback(ray.shutdown)
            context = join_cluster(cluster)
        else:
            folder = make_session_folder()
            guard = stack.enter_context(Guard(folder))
            stack.callback(ray.shutdown)  # before the guard ends what is left then
            with guard.marks():
                context = start_local_ray(cluster.cpus, folder)
        restrict_token()
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():  # Ray takes SIGTERM for itself
                if handler is not None:  # it was not set by Python
                    signal.signal(number, handler)
        yield f"http://{context.dashboard_url}" if context.dashboard_url else ""


def make_session_folder() -> Path | None:
    """Where a Ray of this machine keeps its session; None: where RAY_TMPDIR says.

    Raises:
        StudyError: there can be no such folder.
    """
    try:
        return ray_folder()
    except OSError as error:
        raise StudyError(NO_PLACE.format(place=error.filename, why=why(error))) from None


def wants_dashboard() -> bool:
    """Whether Ray's dashboard is started with a Ray of this machine; STUDY_DASHBOARD=off: not."""
    return os.environ.get("STUDY_DASHBOARD", "on") != "off"


def start_local_ray(cpus: int, folder: Path | None) -> Any:
    """Start Ray on this machine; its context.

    Args:
        cpus: cores to use; 0: all.
        folder: of its sessions; None: Ray's own. Those of drivers that are gone are removed.

    Raises:
        StudyError: it does not start.
    """
    if folder:
        remove_sessions(folder)
    try:
        context = ray.init(
            address="local",
            num_cpus=cpus or cores(),
            include_dashboard=wants_dashboard(),
            _temp_dir=str(folder) if folder else None,
            **OUTPUT,
        )
    except OSError as error:  # its token lies in HOME, its sockets in the temporary folder
        place = error.filename or "a file"
        raise StudyError(NO_PLACE.format(place=place, why=why(error))) from None
    except Exception as error:  # under load its parts time out, with exceptions of their own
        raise StudyError(
            f"Ray must start on this machine; it did not: {first_line(error)}. Run the same "
            "command again"
        ) from None
    return context


def join_cluster(cluster: Cluster) -> Any:
    """Join a cluster and send it the program; Ray's context.

    Raises:
        StudyError: it cannot be joined.
    """
    check_address(cluster.address)
    environment = {
        "env_vars": {name: os.environ[name] for name in NODE_SETTINGS if name in os.environ},
        "py_modules": [str(path) for path in cluster.code],
    }
    try:
        return ray.init(address=cluster.address, runtime_env=environment, **OUTPUT)
    except Exception as error:  # Ray has exceptions of its own besides, as for a missing token
        raise StudyError(
            "--address must name a running Ray cluster of this Ray and Python; "
            f"{cluster.address} cannot be joined: {first_line(error)}"
        ) from None


def check_nodes(packages: Sequence[str]) -> None:
    """Check that every node has the packages that trials import.

    Raises:
        StudyError: one has not; the message names the node and what it lacks.
    """
    asked = {
        node["NodeManagerAddress"]: missing_packages.options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], True)
        ).remote(list(packages))
        for node in ray.nodes()
        if node["Alive"]
    }
    for address, answer in asked.items():
        try:
            missing = ray.get(answer, timeout=NODE_SECONDS)
        except (RayError, TimeoutError):  # the node is busy or went: its trials will tell
            continue
        if missing:
            raise StudyError(
                f"every node must have what trials import; {address} lacks {join_words(missing)}. "
                "Install it there, in the Python that runs Ray"
            )


@ray.remote
def missing_packages(packages: list[str]) -> list[str]:
    """Which packages this node has not."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def restrict_token() -> None:
    """Make Ray's token readable for this user alone; Ray leaves it readable for all."""
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    with suppress(OSError):
        path.chmod(0o600)


def check_address(address: str) -> None:
    """Check that something answers at HOST:PORT; Ray itself would try for minutes.

    Raises:
        StudyError: nothing does.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").removesuffix("/").rpartition(":")
    allowed = "--address must be HOST:PORT or ray://HOST:PORT of a running Ray cluster, or auto"
    if not (
        host and "/" not in host and port.isascii() and port.isdecimal() and 0 < int(port) < 65536
    ):
        raise StudyError(f"{allowed}; got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        reason = error.strerror or error
        raise StudyError(f"{allowed}; {address} does not answer ({reason})") from None


class TrialSlots:
    """How many trials fit at once into the nodes that are there; nodes may come and go."""

    def __init__(self, cluster: Cluster, workers: int, nodes: Any = ray.nodes) -> None:
        self.workers, self.nodes, self.cores = workers, nodes, cluster.cores
        has_gpus = any(resources.get("GPU", 0) for resources in self.resources())
        self.gpus = float(has_gpus) if cluster.gpus is None else cluster.gpus
        self.last_look, self.last_count = -math.inf, 0

    def resources(self) -> list[dict[str, float]]:
        """The resources of each node that is up."""
        return [node["Resources"] for node in self.nodes() if node["Alive"]]

    def count(self) -> int:
        """Trials that fit; the nodes are looked at every few seconds."""
        if time.monotonic() - self.last_look > NODES_INTERVAL:
            self.last_look = time.monotonic()
            workers = sum(workers_on_node(has, self.cores, self.gpus) for has in self.resources())
            self.last_count = workers // self.workers
        return self.last_count

    def check(self) -> None:
        """Check that one trial fits.

        Raises:
            StudyError: none ever would.
        """
        if self.count() >= 1:
            return
        nodes = [
            " and ".join(format_count(has.get(kind, 0), noun) for kind, noun in NOUNS)
            for has in self.resources()
        ]
        gpus = f" and {format_count(self.gpus, 'GPU')}" if self.gpus else ""
        wish = format_count(self.cores, "core") + gpus
        trial = (
            f"a trial of {self.workers} workers asks for {wish} each"
            if self.workers > 1
            else f"a trial asks for {wish} on one node"
        )
        raise StudyError(
            f"{trial}, and the nodes have {'; '.join(nodes) or 'nothing'}; lower --cores, --gpus "
            "or --workers, or add a node"
        )

    @property
    def request(self) -> Any:
        """What Tune reserves for a trial.

        The driver of several workers takes no core: else drivers could hold the cores that their
        workers wait for.
        """
        if self.workers > 1:
            return tune.PlacementGroupFactory([{HEAD_NODE: 0.001}])
        return {"cpu": self.cores, "gpu": self.gpus}


def format_count(count: float, noun: str) -> str:
    """A number of things in words."""
    return f"{count:g} {noun}{'' if count == 1 else 's'}"


def workers_on_node(resources: dict[str, float], cores: int, gpus: float) -> int:
    """Workers that fit into one node; a share of a GPU never spans two."""
    room = resources.get("CPU", 0.0) // cores
    if gpus:
        room = min(room, resources.get("GPU", 0.0) // 1 * trials_on_gpu(gpus))
    return int(room)
