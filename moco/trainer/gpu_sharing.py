"""How many trials should train at once on one device.

It is measured, since memory and launch overhead differ by encoder and machine.
"""

import itertools
import multiprocessing
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from queue import Empty
from typing import Any

import torch

from moco.config import Config
from moco.data import cache
from moco.data.splits import make_splits
from moco.trainer.trial import METHODS
from moco.training.loop import EpochGenerators, Training, TrainingBatch, epoch_generators, prefetch

COUNTS = (1, 2, 4, 8)
# Doubling the trials must make them together faster by this; else each of fewer trials ends sooner.
GAIN = 1.1
SECONDS = 3.0  # of training that are measured
TOGETHER = 16  # steps between two looks at the clock
FULL = 0.8  # share of a GPU's memory; evaluation takes more than training
PATIENCE = 180.0  # seconds until every process must be warm


def trials_per_gpu(values: dict[str, Any], cached: Path) -> int:
    """The number of COUNTS beyond which more trials at once bring little or exceed the memory.

    Args:
        values: the fields of a trial.
        cached: a dataset as `moco.data.cache` left it.
    """
    return fewest_fast_enough(
        (trials, images_per_second(values, cached, trials)) for trials in COUNTS
    )


def fewest_fast_enough(speeds: Iterable[tuple[int, float]]) -> int:
    """Of pairs (count, speed of so many trials together) the last count that brought its gain.

    Pairs after one that did not are not measured.
    """
    best, fastest = 1, 0.0
    for count, speed in speeds:
        if speed <= GAIN * fastest:
            break
        best, fastest = count, speed
    return best


def images_per_second(
    values: dict[str, Any], cached: Path, trials: int, threads: int = 1, seconds: float = SECONDS
) -> float:
    """Images per second of so many trials together, each in a process of its own.

    0 where one of them fails, for want of memory for example.

    Args:
        threads: of each trial on a CPU.
    """
    context = multiprocessing.get_context("spawn")
    gate, told = context.Barrier(trials), context.Queue()
    processes = [
        context.Process(
            target=measure_trial, args=(values, cached, threads, seconds, gate, told), daemon=True
        )
        for _ in range(trials)
    ]
    for process in processes:
        process.start()
    try:
        found = list(collect_answers(told, processes, time.perf_counter() + PATIENCE + seconds))
    finally:
        for process in processes:
            process.terminate()
            process.join()
    fits = len(found) == trials and all(used <= FULL for _, used in found)
    return sum(speed for speed, _ in found) if fits else 0.0


def collect_answers(
    told: Any, processes: Sequence[BaseProcess], deadline: float
) -> Iterator[tuple[float, float]]:
    """What the processes tell, until one of them died without a word or the time is over."""
    for _ in processes:
        while True:
            try:
                yield told.get(timeout=1.0)
                break
            except Empty:
                if time.perf_counter() > deadline or any(process.exitcode for process in processes):
                    return


def measure_trial(
    values: dict[str, Any], cached: Path, threads: int, seconds: float, gate: Barrier, told: Any
) -> None:
    """Train from when all trials are warm until the time is over.

    Puts its images per second, and the share of the GPU's memory that all trials hold.
    """
    torch.set_num_threads(threads)
    try:
        config = Config.of(values)
        dataset = cache.load_dataset(cached)
        run = METHODS[config.method if config.method in METHODS else "supervised"](
            config, dataset, make_splits(dataset, config)
        )
        batches = endless_batches(run)

        def some() -> None:
            for batch, chance in itertools.islice(batches, TOGETHER):
                numbers = run.train_step(batch, chance)
            float(numbers[0])  # waits for the device

        some()
        gate.wait(PATIENCE)
        started, steps = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < seconds:
            some()
            steps += TOGETHER
        told.put((steps * config.batch_size / passed, memory_used(run.device)))
    except Exception:
        gate.abort()
        raise


def endless_batches(run: Training) -> Iterator[tuple[TrainingBatch, EpochGenerators]]:
    """Epoch after epoch of batches as training makes them: on a GPU ahead of the step."""
    for epoch in itertools.count(1):
        generators = epoch_generators(run.config.seed, epoch)
        for batch in prefetch(run.batches(generators), run.device):
            yield batch, generators


def memory_used(device: torch.device) -> float:
    """The share of a GPU's memory that is taken, by whomever; 0 on a CPU."""
    if device.type != "cuda":
        return 0.0
    free, total = torch.cuda.mem_get_info(device)
    return 1 - free / total
