"""What ran the study: versions, commit and processor, for every record and the page."""

import math
import os
import platform
import subprocess
import tomllib
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "torch",
    "torchvision",
    "ray",
    "optuna",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "plotly",
)


MOST_CORES = 1_000_000  # beyond what any machine has


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def versions() -> dict[str, str]:
    """The installed versions of what can change a result."""
    return dict(_versions())


@cache
def commit(folder: Path) -> str:
    """The git commit of a source folder, "+changes" where the tree differs.

    Empty without git, and where the folder's files are not in it, as those of an installed package.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "pyproject.toml")
        return git("rev-parse", "--short=10", "HEAD") + (
            "+changes" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return ""


@cache
def program_version() -> str:
    """The version of this program, as it was installed or as its clone says."""
    try:
        return version("moco-study")
    except PackageNotFoundError:
        settings = Path(__file__).resolve().parents[2] / "pyproject.toml"
        return str(tomllib.loads(settings.read_text(encoding="utf-8"))["project"]["version"])


def trials_on_gpu(share: float) -> int:
    """Trials that fit on a GPU of which each asks for a share, in (0, 1]."""
    return int(1 / share + 1e-9)  # 1 // 0.2 is 4


def cores() -> int:
    """The cores that this process may use: those it may run on, and no more than its quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = core_quota(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    return max(1, min(allowed or 1, math.ceil(min(quota, MOST_CORES))))


def core_quota(root: Path, own: Path) -> float:
    """The cores' worth of time that this process may take; infinite where nothing limits it.

    Args:
        root: the folder of the kernel's control groups, of version 2 or 1.
        own: the file that names the groups of this process, "number:controllers:path" a line.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        lines = []
    places = [root, root / "cpu"]  # as a container sees its own group
    for _, controllers, path in lines:
        if not controllers or "cpu" in controllers.split(","):
            base = root / "cpu" if controllers else root
            group = base / path.strip("/")
            places += [one for one in (group, *group.parents) if one.is_relative_to(base)]
    return min(map(group_quota, places))


def group_quota(group: Path) -> float:
    """The cores' worth of time of one control group; infinite where it has no limit."""
    try:
        if (limit := group / "cpu.max").exists():
            quota, period = limit.read_text().split()[:2]
        else:
            quota, period = (
                (group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        return float(quota) / float(period) if float(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # "max": no limit
        return math.inf


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
