"""Train or evaluate one model without a study: python -m moco --help."""

import errno
import io
import json
import math
import os
import signal
import sys
import traceback
from argparse import Namespace
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

try:
    import torch
    import torch.distributed as dist
except ModuleNotFoundError as missing:
    sys.exit(
        f"python -m moco: this Python has no {missing.name}; in a clone `make install` installs "
        "it, and `. .venv/bin/activate` chooses the Python that has it"
    )

from moco import distributed
from moco.command import (
    build_parser,
    epoch_line,
    normalize_words,
    parse_fields,
    parse_word,
    program_name,
    result_lines,
    strict_json,
)
from moco.config import Config
from moco.data import cache
from moco.data.dataset import Dataset
from moco.data.preprocessing import input_size
from moco.data.sources import open_source
from moco.data.splits import make_splits
from moco.device import device_name, pick_device, pick_precision
from moco.evaluation.evaluate import validation_knn
from moco.export import CARD_FILE, UNKNOWN, Exported, export_encoder
from moco.model.encoder import build_encoder
from moco.model.published_weights import WEIGHTS, with_local_weights
from moco.own_code import is_own
from moco.run_folder import claim_folder, lock_run, run_folder, run_identity
from moco.step_line import StepLine
from moco.trainer.availability import survey
from moco.trainer.dataset_facts import (
    DatasetFacts,
    check_place,
    complete_config,
    dataset_facts,
)
from moco.trainer.proposal import fit_batch
from moco.trainer.trial import run_config
from moco.trainer.trial_checkpoint import load_trial_checkpoint
from moco.training.optimizers import decayed_parameters, optimizer_spec
from moco.training.supervised import with_plain_batch_norm

CONTINUE = "Finished epochs are saved; run the same command to continue."


class DivergedError(Exception):
    """A run's loss left the finite numbers, in the epoch that it names."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"epoch {epoch}")


class Run(NamedTuple):
    """A run that can begin."""

    config: Config
    cached: Path  # the dataset's cache
    weights: dict[str, Path]  # files of weights, as `moco.trainer.trial.run_config` takes them
    folder: Path
    opening: list[str]  # what is about to run, in words
    finished_epochs: int
    complete: bool  # the result is there
    scored_images: int  # images that accuracies are measured on
    licence: str | None  # of the data; None: not told


def main(words: list[str] | None = None) -> int:
    """Exit code: 0 done, 2 a field or the data is wrong, 130 interrupted, 1 anything else."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = build_parser().parse_args(normalize_words(sys.argv[1:] if words is None else words))
    try:
        if "TORCHELASTIC_RUN_ID" in os.environ:
            join_workers()
        return run_command(command)
    except KeyboardInterrupt:
        print(f"\ninterrupted. {CONTINUE}", file=sys.stderr)
        return 130
    finally:
        if distributed.world_size() > 1:
            dist.destroy_process_group()


def join_workers() -> None:
    """Join the process group that torchrun describes in the environment."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")


def run_command(command: Namespace) -> int:
    """Run what can be run, or complain in a sentence; the exit code.

    The first worker checks, locks and prints, the others follow it.
    """
    with ExitStack() as locks:
        run = distributed.broadcast_from_first(lambda: prepare_or_problem(command, locks))
        if isinstance(run, str):
            complain(run)
            return 2
        try:
            train_run(run, int(command.until) or run.config.epochs)
        except OSError as error:
            complain(f"{os_problem(error)} {CONTINUE}")
            return 1
        except DivergedError as problem:
            complain(f"training diverged in {problem}: the loss is no finite number; lower --lr")
            return 1
        except (Exception, SystemExit) as error:
            own = [name for name in (run.config.optimizer, run.config.encoder) if is_own(name)]
            if not own:
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]
            complain(
                f"{' or '.join(own)} failed in training: {type(error).__name__}: {error} "
                f"({Path(place.filename).name}, line {place.lineno})"
            )
            return 1
    return 0


def prepare_or_problem(command: Namespace, locks: ExitStack) -> Run | str:
    """The run, its folder locked until `locks` end, or what is wrong with it."""
    try:
        return prepare_run(command, locks)
    except ValueError as problem:
        return str(problem)
    except OSError as error:
        return os_problem(error)


def prepare_run(command: Namespace, locks: ExitStack) -> Run:
    """The run that the command describes.

    Raises:
        ValueError: a field or the data is wrong, or the folder holds another run.
        OSError: a file cannot be used.
    """
    check_words(command)
    values = parse_fields(command)
    wish = Config.of(values)
    data_dir, source = Path(command.data_dir), open_source(wish.dataset)
    cache.requested_extra_split(source, wish.pretrain_split)
    proposal = fit_batch(source, wish, values)
    values |= proposal.fields if proposal else {}
    cached = cache.prepare(source, wish.image_size, data_dir, wish.pretrain_split).resolve()
    dataset = cache.load_dataset(cached)
    config = Config.of(complete_config({**values, "dataset": dataset.name}))
    availability = survey(config.to_dict(), {"run": {}}, cached, data_dir, download=WEIGHTS)
    if availability.absent:
        raise ValueError(availability.absent["run"])
    config = replace(config, **availability.fields.get("run", {}))
    check_place(config.to_dict(), distributed.world_size())
    facts = dataset_facts(cached, config.to_dict())
    facts = facts._replace(about=(*facts.about, *([proposal.row] if proposal else ())))
    identity = run_identity(config, dataset.fingerprint)
    folder = run_folder(identity, command.out)
    locks.callback(lock_run(folder).release)
    claim_folder(folder, identity)
    checkpoint = load_trial_checkpoint(folder)
    if checkpoint["result"] is not None:
        check_encoder(folder, checkpoint["result"])
    return Run(
        config=config,
        cached=cached,
        weights=availability.files,
        folder=folder,
        opening=opening_lines(config, dataset, facts),
        finished_epochs=len(checkpoint["curve"]),
        complete=checkpoint["result"] is not None,
        scored_images=facts.counts[config.score_split],
        licence=command.license,
    )


def check_encoder(folder: Path, result: dict[str, Any]) -> None:
    """Check that a finished run still has the encoder that it left.

    Raises:
        ValueError: it is gone.
    """
    file = folder / "encoder.pt"
    if result.get("encoder_sha256") and not file.is_file():
        raise ValueError(
            f"the run in {folder} is complete, but its {file.name} is not there; remove "
            f"{folder / 'checkpoint.pt'}, and the same command trains it again"
        )


def check_words(command: Namespace) -> None:
    """Check what the command says besides the fields of the run.

    Raises:
        ValueError: a word is empty, as an unset variable of a shell leaves it, or no epoch.
    """
    if empty := [name for name, word in vars(command).items() if word == ""]:
        raise ValueError(f"--{empty[0].replace('_', '-')} must not be empty; got ''")
    if parse_word("--until", command.until, int) < 0:
        raise ValueError(f"--until must be 0 (the whole schedule) or an epoch; got {command.until}")


def os_problem(error: OSError) -> str:
    """What the system refused."""
    file, reason = error.filename or "a file", error.strerror or error
    advice = "make room, or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    advice = "remove it, or " if error.errno == errno.EISDIR else advice
    return f"{file} cannot be used ({reason}); {advice}name another place with --out or --data-dir."


def opening_lines(config: Config, dataset: Dataset, facts: DatasetFacts) -> list[str]:
    """What is about to run."""
    device, decay = pick_device(config.device), decayed_parameters(config)
    precision = pick_precision(config, device, input_size(config, dataset.train.images))
    lines = [f"{title}: {', '.join(rest)}" for title, *rest in facts.about]
    if config.method != "pixels":
        lines.append(f"Weights: {config.weights or 'random'}")
    if config.pretrains:
        kind = optimizer_spec(config.optimizer).decay
        on = "all parameters" if decay == "all" else "weights, not on biases and norms"
        weight_decay = f"weight decay {config.weight_decay:g} ({kind}, on {on})"
        lines.append(f"Optimizer: {config.optimizer}, lr {config.lr:g}, {weight_decay}")
    parts = [
        f"Device: {device_name(device)}",
        "" if config.method == "pixels" else str(precision).removeprefix("torch."),
        f"workers {distributed.world_size()}",
        f"{torch.get_num_threads()} threads" if device.type == "cpu" else "",
    ]
    lines.append(", ".join(part for part in parts if part))
    return [*lines, *(f"Note: {sentence}" for sentence in facts.warnings)]


def train_run(run: Run, until: int) -> None:
    """Train up to an epoch, and evaluate where that is the last; save the numbers."""
    config, folder, done = run.config, run.folder, run.finished_epochs
    is_first = distributed.rank() == 0
    if is_first:
        print_lines([*run.opening, f"Folder: {folder}", *progress_lines(run)])
    rows: list[dict[str, Any]] = []
    bar = StepLine(config.epochs) if is_first and sys.stderr.isatty() else None
    epochs = run_config(config.to_dict(), folder, run.cached, on_step=bar, **run.weights)
    with closing(epochs):
        while True:
            try:
                rows.append(next(epochs))
            except StopIteration as end:
                result = end.value
                break
            finally:
                if bar:
                    bar.clear()
            if is_first and len(rows) >= done:
                print_lines([epoch_line(rows[-1], config.epochs)] if len(rows) > done else [])
                text = "".join(strict_json(row) + "\n" for row in rows)
                (folder / "epochs.jsonl").write_text(text)
            if not math.isfinite(rows[-1]["loss"]):
                raise DivergedError(rows[-1]["epoch"])
            if max(until, done) <= rows[-1]["epoch"] < config.epochs:
                if is_first:
                    print_lines([stopped_line(rows[-1]["epoch"], config, folder)])
                return
    if is_first:
        (folder / "result.json").write_text(json.dumps(json.loads(strict_json(result)), indent=1))
        print_lines(result_lines(result, config, run.scored_images, folder))
        export_run(run, result)


def export_run(run: Run, result: dict[str, Any]) -> None:
    """Leave the encoder in the form that others take; once, unless another licence is told."""
    if run.complete and run.licence is None and (run.folder / CARD_FILE).exists():
        return
    dataset = cache.load_dataset(run.cached)
    splits = make_splits(dataset, run.config)
    contrasts = run.config.method == "moco"
    exported = Exported(
        config=run.config,
        dataset=dataset,
        result=result,
        trained=len(splits.pretrain) if contrasts else len(splits.train.labels),
        scored=run.scored_images,
        licence=run.licence or UNKNOWN,
    )
    if names := export_encoder(run.folder, exported):
        print_lines([f"For others: {' and '.join(names)}"])


def stopped_line(epoch: int, config: Config, folder: Path) -> str:
    """That the run stops before its end."""
    return (
        f"Stopped after epoch {epoch} of {config.epochs}; run the same command without --until to "
        f"continue. Saved in {folder}"
    )


def progress_lines(run: Run) -> list[str]:
    """What was done before; for a fresh run the kNN accuracy of the untrained encoder."""
    config = run.config
    if run.complete:
        return ["Complete already; nothing is run."]
    if damaged := sorted(file.name for file in run.folder.glob("damaged-*.pt")):
        print_lines([f"Set aside, for it cannot be read: {', '.join(damaged)}."])
    if run.finished_epochs:
        return [f"Continuing after epoch {run.finished_epochs} of {config.epochs}."]
    dataset = cache.load_dataset(run.cached)
    if not config.pretrains or not dataset.classes:
        return []
    splits = make_splits(dataset, config)
    initial = with_plain_batch_norm(with_local_weights(config, run.weights))
    encoder = build_encoder(initial, splits.train.images.shape[1]).to(pick_device(config.device))
    knn = validation_knn(encoder, splits, dataset, config)["knn_accuracy"]
    images = f"validation, {len(splits.validation.labels):,} images"
    return [f"epoch 0/{config.epochs}  before training: kNN {knn:.1%} ({images})"]


def complain(sentence: str) -> None:
    """Print one sentence from the first worker."""
    if distributed.rank() == 0:
        print(f"{program_name()}: {sentence}", file=sys.stderr)


def print_lines(lines: list[str]) -> None:
    """Print at once; after a closed pipe the run continues without output."""
    try:
        print(*lines, sep="\n", end="\n" if lines else "", flush=True)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            complain(f"standard output cannot be written ({error.strerror}); the run goes on")
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


if __name__ == "__main__":
    sys.exit(main())
