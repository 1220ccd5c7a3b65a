"""What a run leaves for others: its encoder as safetensors, and a model card as a hub takes it."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from moco.config import Config
from moco.data.dataset import Dataset, normalisation_statistics
from moco.data.preprocessing import input_size
from moco.model.encoder import Encoder, build_encoder
from moco.own_code import use_own_code

UNKNOWN = "unknown"  # the licence of data of which none was given
WEIGHTS_FILE, CARD_FILE = "encoder.safetensors", "README.md"
QUANTILE = 1.959964  # of a two-sided 95 % interval
ACCURACIES = {
    "probe_accuracy": "linear probe",
    "knn_accuracy": "kNN",
    "supervised_accuracy": "trained on labels",
}
COPY = {"finetune_accuracy": "a copy, fine-tuned on the labels"}  # of other weights than these
WITH_ATTENTION = (
    "They were measured with the attention of the run, which these weights do not have: without it "
    "the features are others."
)
CARD = """---
license: {licence}
library_name: pytorch
pipeline_tag: image-feature-extraction
tags:
- self-supervised
- moco
{index}---

# {name}

{parameters:,} parameters without a projection head, {features} features an image. An image is
resized and its middle square cropped to {size} px, then normalised by mean {mean} and standard
deviation {std} of pixels in [0, 1].

## Data

{data}: {trained:,} images to train on, {classes}. Fingerprint {fingerprint}. Licence of the data:
{data_licence}.

## Accuracy

{accuracy}{remarks}

## Use

```python
{use}
```

## Training

Momentum Contrast (He et al. 2020), or what `method` says, with these fields:

| field | value |
|---|---|
{fields}
"""
TORCHVISION = """import torch
import torchvision
from safetensors.torch import load_file

model = torchvision.models.{encoder}()
model.fc = torch.nn.Identity()
model.load_state_dict(load_file("{file}"))
model.eval()"""
OURS = """import torch
from moco.export import load_encoder  # of this program: pip install -e . in its clone

model = load_encoder(".")  # the folder with config.json and {file}"""
FEATURES = """
images = torch.rand(8, {channels}, {size}, {size})  # yours, with values in [0, 1]
mean = torch.tensor({mean}).view(-1, 1, 1)
std = torch.tensor({std}).view(-1, 1, 1)
features = model((images - mean) / std)  # (8, {features})"""


class Exported(NamedTuple):
    """A run that is exported."""

    config: Config
    dataset: Dataset  # that it was trained on
    result: dict[str, Any]  # as result.json has it
    trained: int  # images that it was trained on
    scored: int  # images that accuracies are measured on
    licence: str = UNKNOWN  # of the data

    @property
    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation that images are normalised by, of each channel."""
        mean, std = normalisation_statistics(self.dataset, self.config)
        return mean.flatten().tolist(), std.flatten().tolist()


def export_encoder(folder: Path, run: Exported) -> list[str]:
    """Write the encoder's weights, where safetensors is installed, and the card; their names.

    Args:
        folder: of the run, with its encoder.pt; without it nothing is written.
        run: that made it.
    """
    if not (folder / "encoder.pt").exists():
        return []
    state = torch.load(folder / "encoder.pt", map_location="cpu", weights_only=True)
    (folder / CARD_FILE).write_text(model_card(run), encoding="utf-8")
    try:
        from safetensors.torch import save_file
    except ImportError:
        return [CARD_FILE]
    mean, std = run.statistics
    facts = {"format": "pt", "channels": str(len(mean)), "mean": str(mean), "std": str(std)}
    draft = folder / f"{WEIGHTS_FILE}.draft"
    apart = {name: tensor.clone().contiguous() for name, tensor in state.items()}  # shared weights
    save_file(apart, draft, facts)
    shutil.copymode(folder / "encoder.pt", draft)  # safetensors lets its owner alone read it
    draft.replace(folder / WEIGHTS_FILE)
    return [WEIGHTS_FILE, CARD_FILE]


def load_encoder(folder: str | Path) -> nn.Module:
    """The encoder of a run's folder in evaluation mode: images (N, channels, H, W) to (N, D).

    Raises:
        OSError: the folder has no config.json or no encoder.safetensors.
        ValueError: the encoder is one's own, and its code is not that of the run.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    values = json.loads((Path(folder) / "config.json").read_text())
    known = Config().to_dict()
    config = Config.of({name: value for name, value in values.items() if name in known})
    use_own_code(config, {})
    with safe_open(Path(folder) / WEIGHTS_FILE, framework="pt") as file:
        channels = int(file.metadata()["channels"])
    backbone = bare_encoder(config, channels).backbone
    backbone.load_state_dict(load_file(Path(folder) / WEIGHTS_FILE))
    return backbone.eval()


def bare_encoder(config: Config, channels: int) -> Encoder:
    """An encoder whose backbone is what is exported: without attention, with random weights."""
    bare = replace(config, weights="", weights_sha256="", batch_norm="plain")
    return build_encoder(replace(bare, attention="none", pictures=0), channels)


def model_card(run: Exported) -> str:
    """The card: what the encoder is, what it was trained on and how, its accuracies, its use."""
    config, dataset = run.config, run.dataset
    mean, std = run.statistics
    encoder = bare_encoder(config, len(mean))
    how = "MoCo" if config.method == "moco" else config.method
    name = f"{config.encoder}, {how}, {dataset.title}"
    stored = {"image_size": dataset.train.images.shape[-1]}  # where the run says 0
    fields = {**config.to_dict(), **stored}.items()
    return CARD.format(
        licence=quoted(run.licence),
        data_licence=" ".join(run.licence.split()),
        index=index_lines(name, run),
        name=name,
        parameters=sum(one.numel() for one in encoder.backbone.parameters()),
        features=encoder.feature_size,
        size=input_size(config, dataset.train.images),
        mean=rounded(mean),
        std=rounded(std),
        data=dataset.title,
        trained=run.trained,
        classes=f"{len(dataset.classes)} classes" if dataset.classes else "no labels",
        fingerprint=dataset.fingerprint[:16],
        accuracy=accuracy_table(run),
        remarks="".join(f"\n\n**Remark.** {one}" for one in run.result.get("remarks") or ()),
        use=use_code(config, len(mean))
        + FEATURES.format(
            channels=len(mean),
            size=input_size(config, dataset.train.images),
            mean=[float(f"{one:.4f}") for one in mean],
            std=[float(f"{one:.4f}") for one in std],
            features=encoder.feature_size,
        ),
        fields="\n".join(f"| `{key}` | {value} |" for key, value in fields if value != ""),
    )


def measured(run: Exported, titles: dict[str, str] = ACCURACIES) -> dict[str, float]:
    """The accuracies that there are, in [0, 1], by their titles."""
    found = {title: run.result.get(key) for key, title in titles.items()}
    return {title: v for title, v in found.items() if v is not None and math.isfinite(v)}


def index_lines(name: str, run: Exported) -> str:
    """The accuracies as a hub's index reads them; empty without any."""
    if not (found := measured(run)):
        return ""
    lines = [
        "model-index:",
        f"- name: {quoted(name)}",
        "  results:",
        "  - task:",
        "      type: image-classification",
        "    dataset:",
        f"      name: {quoted(run.dataset.title)}",
        f"      type: {quoted(run.dataset.name)}",
        f"      split: {run.config.score_split}",
        "    metrics:",
    ]
    for title, value in found.items():
        lines += ["    - type: accuracy", f"      name: {title}", f"      value: {100 * value:.2f}"]
    return "".join(f"{line}\n" for line in lines)


def quoted(text: str) -> str:
    """A text as YAML reads it whatever it holds."""
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"


def rounded(values: list[float]) -> str:
    """Numbers to four digits in brackets."""
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"


def accuracy_table(run: Exported) -> str:
    """A table of accuracies with n and intervals, or why there is none."""
    if not (found := measured(run, {**ACCURACIES, **COPY})):
        return "None: the images have no labels."
    chosen = run.config.score_split == "validation"
    lines = [
        f"On the {run.config.score_split} split, n = {run.scored:,} images, one run. The intervals "
        "hold the luck of these images (Wilson 1927), not that of the seed.",
        *(["The probe's learning rate was chosen on these images too."] if chosen else []),
        *([WITH_ATTENTION] if run.config.attention != "none" else []),
        "",
        "| | accuracy, % | 95 % interval |",
        "|---|---|---|",
    ]
    for title, value in found.items():
        low, high = wilson_interval(value, run.scored)
        lines.append(f"| {title} | {100 * value:.2f} | {100 * low:.1f} to {100 * high:.1f} |")
    return "\n".join(lines)


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n (Wilson 1927)."""
    z2 = QUANTILE**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = QUANTILE / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return middle - half, middle + half


def use_code(config: Config, channels: int) -> str:
    """How the encoder is loaded: by torchvision alone where it is one of torchvision's."""
    plain = channels == 3 and config.encoder.startswith("resnet") and config.encoder != "resnet10"
    if plain and config.width == 1 and config.stem == "imagenet":
        return TORCHVISION.format(encoder=config.encoder, file=WEIGHTS_FILE)
    return OURS.format(file=WEIGHTS_FILE)
