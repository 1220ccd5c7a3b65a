"""Runs trials that a study left as lines of a file, and leaves their records as lines of another: python -m moco --trials."""

import fcntl
import json
import math
import multiprocessing
import os
import platform
import re
import subprocess
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

from moco.config import Config
from moco.data import cache
from moco.model.published_weights import files_of
from moco.trainer import trial
from moco.trainer.dataset_facts import prepare

LINE = {
    "trial": str,
    "stage": str,
    "arm": str,
    "seed": int,
    "point": dict,
    "why": str,
    "config": dict,
    "fingerprint": str,
}
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn")

Line = dict[str, Any]


class Batch(NamedTuple):
    """Which trials to run, and how."""

    trials: Path
    records: Path
    folder: Path  # of the trials' checkpoints
    dataset: (
        str | None
    )  # where the images are, if that is not the name in the trials: a folder has no other place
    data_dir: Path
    weights: str | None  # the file of trials that begin from a given one
    at_once: int
    threads: int  # of each trial on a CPU


def run_batch(batch: Batch) -> int:
    """Runs what the records still lack, one trial after the other or several at once; how many failed.

    A trial that was begun goes on from its last epoch; failed ones are run again.

    Raises:
        ValueError: the files, the data or a number are wrong.
        OSError: a file cannot be read or written.
    """
    for name in ("at_once", "threads"):
        if getattr(batch, name) < 1:
            raise ValueError(
                f"--{name.replace('_', '-')} must be 1 or more; got {getattr(batch, name)}"
            )
    lines = lines_of(batch.trials)
    with written(batch.records) as file:
        done = ended(batch.records)
        left = [line for line in lines if line["trial"] not in done]
        found = files_of(
            [Config.of(line["config"]) for line in left], batch.weights or "", batch.data_dir
        )
        caches = cached(left, batch)
        print(
            f"{len(lines)} trials, {len(lines) - len(left)} of them done; {min(batch.at_once, max(1, len(left)))} at once",
            flush=True,
        )
        failed = 0
        for count, record in enumerate(
            results(left, caches, found, batch), start=len(lines) - len(left) + 1
        ):
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
            failed += record["status"] == "failed"
            print(f"{count:4d}/{len(lines)}  {told(record)}", flush=True)
    return failed


def lines_of(path: Path) -> list[Line]:
    """The trials of a file.

    Raises:
        ValueError: a line is no trial.
    """
    found = []
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as problem:
        raise ValueError(
            f"--trials must be a file that run_study.py --plan --out wrote; {path} cannot be read ({problem})"
        ) from None
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            if not all(isinstance(line[name], kind) for name, kind in LINE.items()):
                raise TypeError("a field has the wrong type")
            if not re.fullmatch(r"\w{1,64}", line["trial"]):  # it names a folder
                raise ValueError(f"trial {line['trial']!r}")
            Config.of(line["config"])
        except (ValueError, KeyError, TypeError) as problem:
            raise ValueError(
                f"--trials must be a file that run_study.py --plan --out wrote; line {number} of {path} is no trial ({problem!r})"
            ) from None
        found.append(line)
    return list({line["trial"]: line for line in found}.values())


@contextmanager
def written(path: Path) -> Iterator[IO[str]]:
    """The file of records, open to add to; half a line that a kill left is cut off first.

    Raises:
        ValueError: another run writes to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{path} is being written by another run; name another file with --records"
            ) from None
        ended(path)  # nothing is cut off a file that holds something else
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
        yield file


def ended(records: Path) -> set[str]:
    """The trials that need no other run.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        *lines, torn = records.read_text(encoding="utf-8").split("\n")
        if torn and not torn.startswith('{"trial"'[: len(torn)]):
            raise ValueError("its last line")
        found = [json.loads(text) for text in lines]
        return {record["trial"] for record in found if record["status"] != "failed"}
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(
            f"--records must be a file of records, or a new one; {records} holds something else ({problem!r})"
        ) from None


def cached(lines: list[Line], batch: Batch) -> dict[str, Path]:
    """The dataset's cache of every fingerprint among the trials.

    Raises:
        ValueError: the data are not those of the study.
    """
    found: dict[str, Path] = {}
    for line in lines:
        if line["fingerprint"] not in found:
            alike = {
                other["trial"]: other["config"]
                for other in lines
                if other["fingerprint"] == line["fingerprint"]
            }
            wish = {**line["config"], "pretrain_split": "train"}
            place = prepare(
                name := batch.dataset or wish["dataset"], wish, batch.data_dir, alike
            ).resolve()
            if (ours := cache.load(place).fingerprint) != line["fingerprint"]:
                wanted = f"the study's images, fingerprint {line['fingerprint'][:16]}"
                raise ValueError(
                    f"{name} must hold {wanted}; its is {ours[:16]}. Name the right ones with --dataset"
                )
            found[line["fingerprint"]] = place
    return found


def results(
    lines: list[Line], caches: dict[str, Path], weights: dict[str, Path], batch: Batch
) -> Iterator[dict[str, Any]]:
    """The records as trials end."""
    work = [
        (line, batch.folder / line["trial"], caches[line["fingerprint"]], weights, batch.threads)
        for line in lines
    ]
    if batch.at_once == 1:
        yield from (record_of(*one) for one in work)
        return
    with ProcessPoolExecutor(batch.at_once, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(record_of, *one) for one in work]
        try:
            for future in as_completed(running):
                yield future.result()
        except BrokenProcessPool:
            raise ValueError(
                "a trial's process died, for want of memory say; lower --at-once. What is done is kept, the same command goes on"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()


def record_of(
    line: Line, folder: Path, cached: Path, weights: dict[str, Path], threads: int
) -> dict[str, Any]:
    """Runs a trial to its end; its record in the fields of a study's."""
    torch.set_num_threads(threads)
    started, clock, curve = now(), time.perf_counter(), []
    status, result, error = "finished", {}, ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        epochs = trial.run(line["config"], folder, cached, **weights)
        while status == "finished":
            try:
                curve.append(next(epochs))
                status = "finished" if math.isfinite(curve[-1]["loss"]) else "diverged"
            except StopIteration as end:
                result = end.value
                break
        if any(isinstance(value, float) and not math.isfinite(value) for value in result.values()):
            status = "diverged"
    except Exception as problem:  # every trial ends as a record
        status, error = "failed", "".join(traceback.format_exception(problem, limit=-3))[-2000:]
    seconds = max(time.perf_counter() - clock, sum(row["seconds"] for row in curve))
    return {
        **{name: line[name] for name in ("trial", "stage", "arm", "seed", "config", "point", "why")}, "status": status, "curve": curve,
        "result": result, "error": error, "seconds": round(seconds, 3), "device": str(result.get("device", "")), "versions": versions(),
        "commit": commit(), "started": started, "ended": now(),
    }  # fmt: skip


def told(record: dict[str, Any]) -> str:
    """A record in words."""
    accuracy = (
        f"probe accuracy {record['result']['probe_accuracy']:.1%}"
        if record["status"] == "finished"
        else record["status"]
    )
    accuracy += f": {record['error'].strip().splitlines()[-1]}" if record["error"] else ""
    return f"{record['trial']}  {record['stage']} {record['arm']} seed {record['seed']}  {accuracy}  ({record['seconds']:.1f} s)"


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """The installed versions of what can change a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The git commit of this program, with "+changes" where its files differ from it; empty outside a repository."""

    def git(*words: str) -> str:
        place = ["git", "-C", str(Path(__file__).resolve().parent)]
        return subprocess.run(
            [*place, *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=10", "HEAD") + (
            "+changes" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
