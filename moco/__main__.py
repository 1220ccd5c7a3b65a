"""Trains or evaluates one model without a study: python -m moco --help."""

import io
import json
import os
import signal
import sys
from argparse import Namespace
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist

from moco import command as cli
from moco import distributed
from moco.config import Config
from moco.data import cache
from moco.data.dataset import Dataset
from moco.data.preprocessing import seen_size
from moco.data.splits import carve
from moco.device import describe, pick_device, pick_precision
from moco.evaluation.evaluate import validation_knn
from moco.model.encoder import build_encoder
from moco.model.published_weights import WEIGHTS, placed
from moco.trainer import dataset_facts, trial
from moco.trainer.availability import survey
from moco.trainer.batch import Batch, run_batch
from moco.training.optimizers import decay_on, row_of
from moco.training.supervised import plain


class Prepared(NamedTuple):
    """A run that can begin."""

    config: Config
    cached: Path  # the dataset's cache
    weights: dict[str, Path]  # where their file is, as `moco.trial.run` takes it
    folder: Path
    opening: list[str]  # what is about to run, in words
    known: int  # epochs that are done
    complete: bool  # the result is there
    scored: int  # images that accuracies are measured on


def main(words: list[str] | None = None) -> int:
    """Exit code: 0 done, 2 a field or the data is wrong, 130 interrupted, 1 anything else."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = cli.parser().parse_args(cli.with_dashes(sys.argv[1:] if words is None else words))
    try:
        if "TORCHELASTIC_RUN_ID" in os.environ:
            join_workers()
        return batch(command) if command.trials else checked(command)
    except KeyboardInterrupt:
        print("\ninterrupted; what is done is kept, and the same command goes on", file=sys.stderr)
        return 130
    finally:
        if distributed.count() > 1:
            dist.destroy_process_group()


def batch(command: Namespace) -> int:
    """Runs a study's trials; a sentence for what is wrong."""
    try:
        if not command.records:
            raise ValueError("--trials needs --records: the file that takes what came of them")
        if void := [name for name in cli.values_of(command) if name not in ("dataset", "weights")]:
            raise ValueError(
                f"{cli.option(void[0])} has no effect on trials of a study, which have their own fields; leave it out"
            )
        trials, records = Path(command.trials), Path(command.records)
        folder = Path(command.out) if command.out else records.with_name(f"{records.stem}-trials")
        failed = run_batch(
            Batch(
                trials,
                records,
                folder,
                command.dataset,
                Path(command.data_dir),
                command.weights,
                command.at_once,
                command.threads,
            )
        )
    except ValueError as problem:
        complain(str(problem))
        return 2
    except OSError as problem:
        complain(sentence_of(problem))
        return 1
    return 1 if failed else 0


def join_workers() -> None:
    """Joins the process group that torchrun describes in the environment."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")


def checked(command: Namespace) -> int:
    """Runs what can be run; a sentence for what is wrong. The first worker looks, locks and speaks, the others follow it."""
    with ExitStack() as held:
        found = distributed.of_first(lambda: prepared(command, held))
        if isinstance(found, str):
            complain(found)
            return 2
        try:
            run(found, command.until or found.config.epochs)
        except OSError as error:
            complain(f"{sentence_of(error)} What is done is kept, and the same command goes on")
            return 1
    return 0


def prepared(command: Namespace, held: ExitStack) -> Prepared | str:
    """The run, its folder locked until `held` ends, or what is wrong with it."""
    try:
        if command.until < 0:
            raise ValueError(
                f"--until must be 0 (the whole schedule) or an epoch; got {command.until}"
            )
        values = cli.values_of(command)
        asked = Config.of(values)
        cached = cache.prepare(
            asked.dataset, asked.image_size, Path(command.data_dir), asked.pretrain_split
        ).resolve()
        dataset = cache.load(cached)
        config = Config.of(dataset_facts.complete(values, dataset.name))
        found = survey(
            config.to_dict(), {"run": {}}, cached, Path(command.data_dir), download=WEIGHTS
        )
        if found.absent:
            raise ValueError(found.absent["run"])
        config = replace(config, **found.fields.get("run", {}))
        dataset_facts.check_place(config.to_dict(), distributed.count())
        about = dataset_facts.facts_of(cached, config.to_dict())
        identity = cli.identity_of(config, dataset.fingerprint)
        folder = cli.folder_of(identity, command.out)
        held.enter_context(cli.lock(folder))
        cli.claim(folder, identity)
        kept = trial.kept(folder)
        said, scored = opening(config, dataset, about), about["counts"][config.score_split]
        return Prepared(
            config,
            cached,
            found.files,
            folder,
            said,
            len(kept["curve"]),
            kept["result"] is not None,
            scored,
        )
    except ValueError as problem:
        return str(problem)
    except OSError as problem:
        return sentence_of(problem)


def sentence_of(error: OSError) -> str:
    """What the system refused."""
    return f"{error.filename or 'a file'} cannot be used ({error.strerror or error}); make room, or name another place with --out or --data-dir."


def opening(config: Config, dataset: Dataset, found: dict[str, Any]) -> list[str]:
    """What is about to run, in words."""
    device, decay = pick_device(config.device), decay_on(config)
    precision = str(
        pick_precision(config, device, seen_size(config, dataset.train.images))
    ).removeprefix("torch.")
    on = "all parameters" if decay == "all" else "weights, not on biases and norms"
    said = [f"{title}: {', '.join(rest)}" for title, *rest in found["about"]]
    said.append(f"Weights: {config.weights or 'random'}")
    if config.method != "frozen":
        kind = row_of(config.optimizer).decay
        said.append(
            f"Optimizer: {config.optimizer}, lr {config.lr:g}, weight decay {config.weight_decay:g} ({kind}, on {on})"
        )
    threads = f"{torch.get_num_threads()} threads" if device.type == "cpu" else ""
    said.append(
        ", ".join(
            part
            for part in (
                f"Device: {describe(device)}",
                precision,
                f"workers {distributed.count()}",
                threads,
            )
            if part
        )
    )
    return [*said, *(f"Note: {sentence}" for sentence in found["warnings"])]


def run(found: Prepared, until: int) -> None:
    """Trains up to an epoch, and evaluates where that is the last; the numbers are kept beside the checkpoint."""
    config, folder, known, first = found.config, found.folder, found.known, distributed.rank() == 0
    if first:
        say([*found.opening, *where_it_stands(found)])
    rows: list[dict[str, Any]] = []
    with closing(trial.run(config.to_dict(), folder, found.cached, **found.weights)) as epochs:
        while True:
            try:
                rows.append(next(epochs))
            except StopIteration as end:
                result = end.value
                break
            if first and len(rows) >= known:
                say([cli.line(rows[-1], config.epochs)] if len(rows) > known else [])
                (folder / "epochs.jsonl").write_text(
                    "".join(cli.strict(row) + "\n" for row in rows)
                )
            if max(until, known) <= rows[-1]["epoch"] < config.epochs:
                if first:
                    say(
                        [
                            f"Stopped after epoch {rows[-1]['epoch']} of {config.epochs}; without --until the same command goes on. Kept in {folder}"
                        ]
                    )
                return
    if first:
        (folder / "result.json").write_text(json.dumps(json.loads(cli.strict(result)), indent=1))
        say(cli.lines_of(result, config, found.scored, folder))


def where_it_stands(found: Prepared) -> list[str]:
    """What was done before, or for a fresh run what the untrained encoder is worth."""
    config = found.config
    if found.complete:
        return ["Complete already; nothing is run."]
    if found.known:
        return [f"Going on after epoch {found.known} of {config.epochs}."]
    if config.method == "frozen":
        return []
    dataset = cache.load(found.cached)
    splits = carve(dataset, config)
    encoder = build_encoder(plain(placed(config, found.weights)), splits.train.images.shape[1]).to(
        pick_device(config.device)
    )
    knn = validation_knn(encoder, splits, dataset, config)["knn_accuracy"]
    return [
        f"epoch 0/{config.epochs}  before training: kNN {knn:.1%} (validation, {len(splits.validation.labels):,} images)"
    ]


def complain(sentence: str) -> None:
    """One sentence from the first worker."""
    if distributed.rank() == 0:
        print(f"python -m moco: {sentence}", file=sys.stderr)


def say(lines: list[str]) -> None:
    """Prints at once; where no one listens any more, the run goes on unheard."""
    with suppress(BrokenPipeError):
        print(*lines, sep="\n", end="\n" if lines else "", flush=True)
        return
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115


if __name__ == "__main__":
    sys.exit(main())
