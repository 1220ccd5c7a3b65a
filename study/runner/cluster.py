"""Where trials run: a Ray of this machine alone, or a cluster that stands; and how many of them fit."""

import logging
import math
import os
import socket
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune

from study.errors import StudyError
from study.runner.ray_settings import PASSED_ON
from study.store.environment import cores

LOOK_AGAIN = 2.0  # seconds between two looks at the nodes


class Cluster(NamedTuple):
    """Where the trials run and what each asks for."""

    address: str = ""  # of an existing Ray cluster; empty: this machine
    cpus: int = 0  # of this machine to use; 0: all
    cores: int = 1  # of each worker
    gpus: float | None = (
        None  # of each worker: 0, a share of one, or 1; None: 1 where there are any
    )
    hours: float = 0.0  # wall time after which nothing new is begun and running trials stop after their epoch; 0: none
    code: tuple[Path, ...] = ()  # packages that nodes of a cluster are sent
    url: str = ""  # the study's folder where that is an address
    mlflow: str = ""  # a tracking URI
    wandb: str = ""  # a project


def start_ray(cluster: Cluster) -> str:
    """Starts Ray on this machine, or joins a cluster, quietly; the dashboard's address.

    Raises:
        StudyError: no cluster is there.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(
        logging.CRITICAL
    )  # what became of a trial its record says
    warnings.filterwarnings("ignore", module="ray")
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if not cluster.address:
        try:
            context = ray.init(
                address="local", num_cpus=cluster.cpus or cores(), include_dashboard=True, **quiet
            )
        except (
            Exception
        ) as error:  # on a machine under load its parts time out, with exceptions of their own
            raise StudyError(
                f"Ray must start on this machine; it did not ({first_line(error)}). The same command tries again"
            ) from None
        keep_token_private()
        return f"http://{context.dashboard_url}" if context.dashboard_url else ""
    check_address(cluster.address)
    environment = {
        "env_vars": {name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "py_modules": [str(path) for path in cluster.code],
    }
    try:
        context = ray.init(address=cluster.address, runtime_env=environment, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        told = f"{cluster.address} cannot be joined ({first_line(error)})"
        raise StudyError(
            f"--address must name a running Ray cluster of this Ray and Python; {told}"
        ) from None
    return f"http://{context.dashboard_url}" if context.dashboard_url else ""


def first_line(error: Exception) -> str:
    """What an exception says, in short."""
    return (str(error).strip().splitlines() or [repr(error)])[0]


def keep_token_private() -> None:
    """Ray leaves its token readable for all users of the machine."""
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    with suppress(OSError):
        path.chmod(0o600)


def check_address(address: str) -> None:
    """That something answers at HOST:PORT: Ray itself would try for minutes.

    Raises:
        StudyError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if address != "auto":
            socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        allowed = "HOST:PORT or ray://HOST:PORT of a running Ray cluster, or auto"
        raise StudyError(
            f"--address must be {allowed}; {address} does not answer ({error})"
        ) from None


class Places:
    """How many trials fit at once into the nodes that are there; nodes may come and go."""

    def __init__(self, cluster: Cluster, workers: int, nodes: Any = ray.nodes) -> None:
        self.workers, self.nodes, self.looked = workers, nodes, -math.inf
        self.cores = cluster.cores
        self.gpus = (
            cluster.gpus
            if cluster.gpus is not None
            else float(any(has.get("GPU", 0) for has in self.resources()))
        )
        self.count = 0

    def resources(self) -> list[dict[str, float]]:
        """Of each node that is up."""
        return [node["Resources"] for node in self.nodes() if node["Alive"]]

    def now(self) -> int:
        """Trials that fit, after a look at the nodes every few seconds."""
        if time.monotonic() - self.looked > LOOK_AGAIN:
            self.looked = time.monotonic()
            self.count = (
                sum(fitting(has, self.cores, self.gpus) for has in self.resources()) // self.workers
            )
        return self.count

    def check(self) -> None:
        """That one trial fits.

        Raises:
            StudyError: it never would.
        """
        if self.now() >= 1:
            return
        has = (
            "; ".join(
                f"{counted(node.get('CPU', 0), 'core')} and {counted(node.get('GPU', 0), 'GPU')}"
                for node in self.resources()
            )
            or "nothing"
        )
        asked = counted(self.cores, "core") + (
            f" and {counted(self.gpus, 'GPU')}" if self.gpus else ""
        )
        one = (
            f"a trial of {self.workers} workers asks for {asked} each"
            if self.workers > 1
            else f"a trial asks for {asked} on one node"
        )
        raise StudyError(
            f"{one}, and the nodes have {has}; lower --cores, --gpus or --workers, or add a node"
        )

    @property
    def request(self) -> Any:
        """What Tune reserves for a trial. The driver of several workers takes no core, else drivers could hold those that their workers wait for."""
        if self.workers > 1:
            return tune.PlacementGroupFactory([{"node:__internal_head__": 0.001}])
        return {"cpu": self.cores, "gpu": self.gpus}


def counted(count: float, what: str) -> str:
    """A number of things in words."""
    return f"{count:g} {what}{'' if count == 1 else 's'}"


def fitting(has: dict[str, float], cores: int, gpus: float) -> int:
    """Workers that fit into one node; a share of a GPU never spans two."""
    room = has.get("CPU", 0.0) // cores
    if gpus:
        room = min(room, has.get("GPU", 0.0) // 1 * (1 // gpus))
    return int(room)
