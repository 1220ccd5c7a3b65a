"""Trains or evaluates one model without a study: python -m moco --help."""

import json
import os
import signal
import sys
from argparse import Namespace
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from moco import cli, data, facts, trial, workers
from moco.config import Config
from moco.device import describe, pick_device, pick_precision
from moco.optimizers import decay_on, row_of


def main(words: list[str] | None = None) -> int:
    """Exit code: 0 done, 2 a field or the data is wrong, 130 interrupted, 1 anything else."""
    command = cli.parser().parse_args(cli.with_dashes(sys.argv[1:] if words is None else words))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if "RANK" in os.environ:
        join_workers()
    try:
        config, cached = prepared(command)
        folder = cli.folder_of(config, command.out)
    except (ValueError, OSError) as problem:  # wrong fields and wrong data: a sentence each
        print(f"python -m moco: {problem}", file=sys.stderr)
        return 2
    try:
        run(config, cached, folder, command.until or config.epochs)
    except KeyboardInterrupt:
        print("\ninterrupted; what is done is kept, and the same command goes on", file=sys.stderr)
        return 130
    return 0


def join_workers() -> None:
    """Joins the process group that torchrun describes in the environment."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def prepared(command: Namespace) -> tuple[Config, Path]:
    """The checked config, and the cache of its dataset.

    Raises:
        ValueError: a field is wrong, or the dataset is.
    """
    values = cli.values_of(command)
    asked = Config.of(values)
    cached = data.prepare(asked.dataset, asked.image_size, Path(command.data_dir), asked.pretrain_split)
    complete = facts.complete(values, data.load(cached).name)
    facts.check_place(complete, workers.count())
    found = facts.facts_of(cached, complete)
    config = Config.of(complete)
    if workers.rank() == 0:
        say(opening(config, found))
    return config, cached


def opening(config: Config, found: dict[str, Any]) -> list[str]:
    """What is about to run, in words."""
    device, decay = pick_device(config.device), decay_on(config)
    precision = str(pick_precision(config, device)).removeprefix("torch.")
    on = "all parameters" if decay == "all" else "weights, not on biases and norms"
    about = [f"{title}: {', '.join(rest)}" for title, *rest in found["about"]]
    rule = f"Optimizer: {config.optimizer}, lr {config.lr:g}, weight decay {config.weight_decay:g} ({row_of(config.optimizer).decay}, on {on})"
    notes = [f"Note: {sentence}" for sentence in found["warnings"]]
    return [*about, *([rule] if config.method != "frozen" else []), f"Device: {describe(device)}, {precision}, workers {workers.count()}", *notes]


def run(config: Config, cached: Path, folder: Path, until: int) -> None:
    """Trains up to an epoch, and evaluates where that is the last; the numbers are kept beside the checkpoint."""
    rows: list[dict[str, Any]] = []
    first = workers.rank() == 0
    with closing(trial.run(config.to_dict(), folder, cached)) as epochs:
        while True:
            try:
                rows.append(next(epochs))
            except StopIteration as end:
                result = end.value
                break
            if first:
                say([cli.line(rows[-1], config.epochs)])
                (folder / "epochs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            if rows[-1]["epoch"] >= until and until < config.epochs:
                return
    if first:
        (folder / "result.json").write_text(json.dumps(result, indent=1))
        say(cli.lines_of(result, config, folder))


def say(lines: list[str]) -> None:
    """Prints at once."""
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
