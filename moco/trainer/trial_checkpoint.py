"""A trial's checkpoint: its curve, the state of its training, its evaluation and its result."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from torch import nn

from moco import distributed
from moco.model.encoder import Encoder, Pixels
from moco.training import checkpoint

SET_ASIDE = "Another run’s checkpoint lay in the trial’s folder; it was set aside."
PARTS = ("encoder", "attention", "head")  # of an encoder, each saved as a state dict
FILES = ("checkpoint.pt", *(f"{part}.pt" for part in PARTS))


class TrialCheckpoint:
    """A trial's checkpoint; only the first worker reads and writes it.

    One that belongs to another run, or holds what no run leaves, is set aside, and the trial begins
    again: it would fail at every repeat, or pass for this trial's result.

    Args:
        identity: of the run, as `run_mark` gives it.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder, self.file, self.identity = folder, folder / "checkpoint.pt", identity
        for name in FILES if distributed.rank() == 0 else ():
            for draft in folder.glob(f"{name}.[0-9]*"):  # a kill during a save left it
                draft.unlink(missing_ok=True)
        self.content: dict[str, Any] = distributed.broadcast_from_first(self._load)

    def _load(self) -> dict[str, Any]:
        """The content of the file if it is this run's, else that of a new run."""
        try:
            content = load_trial_checkpoint(self.folder)
            foreign = content.get("identity", self.identity) != self.identity
        except ValueError:
            foreign = True
        if not foreign and is_plausible(content):
            return content
        for file in (self.file, checkpoint.previous_path(self.file)):
            if file.exists():
                file.replace(file.with_name(f"foreign-{file.name}"))
        return {**load_trial_checkpoint(self.folder), "remarks": [SET_ASIDE]}

    def save(self, **changes: Any) -> None:
        """Save the checkpoint with these changes."""
        self.content = {**self.content, **changes, "identity": self.identity}
        if distributed.rank() == 0:
            checkpoint.save_generation(self.file, self.content)

    def delete_previous(self) -> None:
        """Delete the previous generation: the result is complete."""
        if distributed.rank() == 0:
            checkpoint.previous_path(self.file).unlink(missing_ok=True)

    def save_pictures(self, pictures: list[dict[str, Any]]) -> None:
        """Save attention maps of some test images."""
        if distributed.rank() == 0:
            (self.folder / "pictures.json").write_text(json.dumps(pictures))

    def save_encoder(self, encoder: Encoder | Pixels, tables: dict[str, Any]) -> None:
        """Save what the encoder has learned, if anything, and the tables of its evaluation."""
        if distributed.rank() > 0:
            return
        modules: list[nn.Module] = [encoder.backbone, encoder.attention, encoder.head]
        for name, part in zip(PARTS, modules, strict=True):
            if state := {key: tensor.cpu() for key, tensor in part.state_dict().items()}:
                checkpoint.save_atomically(self.folder / f"{name}.pt", state)
        (self.folder / "evaluation.json").write_text(json.dumps(tables))


def load_trial_checkpoint(folder: Path) -> dict[str, Any]:
    """The content of a trial's checkpoint; None where something is not known yet.

    Its keys: curve, state (of the training), evaluation, finetuning (its state) and result.

    Raises:
        ValueError: the file is the checkpoint of something else.
    """
    empty: dict[str, Any] = {
        "curve": [],
        "state": None,
        "evaluation": None,
        "finetuning": None,
        "result": None,
    }
    content = checkpoint.load_checkpoint(folder / "checkpoint.pt") or empty
    fits = isinstance(content, dict) and empty.keys() <= content.keys()
    if not (fits and isinstance(content["curve"], list)):
        raise ValueError(
            f"{folder / 'checkpoint.pt'} must be the checkpoint of a run; it holds something else. "
            "Name another folder"
        )
    return content


def run_mark(values: dict[str, Any], fingerprint: str) -> str:
    """What a checkpoint must be of: SHA-256 of the fields and of the data's fingerprint."""
    text = json.dumps([values, fingerprint], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_plausible(content: dict[str, Any]) -> bool:
    """Whether a checkpoint's curve and result are such as a run leaves."""
    curve, result = content["curve"], content["result"]
    if not (isinstance(curve, list) and all(isinstance(row, dict) for row in curve)):
        return False
    if result is None:
        return True
    shares = [
        value
        for name, value in (result.items() if isinstance(result, dict) else ())
        if name.endswith("_accuracy") and value is not None
    ]
    return isinstance(result, dict) and all(
        isinstance(share, int | float) and (math.isnan(share) or 0 <= share <= 1)
        for share in shares
    )
