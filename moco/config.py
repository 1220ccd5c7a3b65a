"""The configuration of one trial: every number that can change its result, with its unit."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

CHOICES = {
    "stem": ("small", "imagenet"),
    "head": ("linear", "mlp"),
    "schedule": ("cosine", "constant", "steps"),
    "precision": ("auto", "float32", "bfloat16"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "score_split": ("validation", "test"),
}
POSITIVE = [
    "image_size",
    "batch_size",
    "epochs",
    "queue_size",
    "temperature",
    "width",
    "projection_size",
    "batch_norm_splits",
    "knn_neighbours",
    "knn_temperature",
    "knn_every",
    "probe_epochs",
    "probe_batch_size",
    "probe_lr_low",
    "probe_lr_high",
    "lr",
]
NOT_NEGATIVE = ["train_images", "weight_decay", "warmup_epochs", "seed", "split_seed"]
CEILINGS = {  # beyond these a typing error is likelier than a wish
    "image_size": 1024, "width": 16.0, "projection_size": 65_536, "queue_size": 16_777_216, "batch_size": 65_536, "epochs": 100_000,
    "probe_epochs": 100_000, "probe_batch_size": 1_000_000, "seed": 2**31, "split_seed": 2**31,
}  # fmt: skip
KINDS = {int: "a whole number", float: "a number", str: "a word"}
SHARES = {"key_momentum": (0.0, 1.0), "momentum": (0.0, 1.0), "validation_share": (0.0, 1.0)}


@dataclass(frozen=True)
class Config:
    """One pretraining run and its evaluation. Flat, frozen, and the same after a trip through JSON.

    Raises:
        ValueError: a field is unknown, has the wrong type or lies outside what is allowed; the message names all three.
    """

    # data
    dataset: str = "digits"  # a name of moco.datasets.DATASETS, or the name of a folder of images
    image_size: int = 16  # pixels a side, after decoding
    train_images: int = 0  # use only so many training images, evenly from all classes; 0: all
    validation_share: float = 0.2  # share of the training images that is held out for choosing
    split_seed: int = 0  # which images are held out
    views: str = "auto"  # a name of moco.views.RECIPES; auto: the dataset's own
    # encoder
    encoder: str = "resnet18"  # any torchvision ResNet
    stem: str = "small"  # small: 3x3 stride 1 without pooling; imagenet: 7x7 stride 2 and max-pooling
    width: float = 1.0  # multiplies the number of channels of every layer
    head: str = "mlp"  # linear: MoCo v1; mlp: MoCo v2
    projection_size: int = 128  # C, features of a query or key
    # contrast
    queue_size: int = 1024  # K, keys
    key_momentum: float = 0.99  # m, of the key encoder's moving average
    temperature: float = 0.2  # T
    batch_norm_splits: int = 4  # groups of a batch that are normalised apart; 1: plain batch norm
    # optimization
    optimizer: str = "sgd"  # a name of moco.optimizers.OPTIMIZERS
    lr: float = 0.03  # peak learning rate
    momentum: float = 0.9  # of the optimizer, where it has one
    weight_decay: float = 1e-4  # coupled or decoupled as the optimizer's row says
    batch_size: int = 128  # images a step over all workers
    epochs: int = 20
    schedule: str = "cosine"
    warmup_epochs: float = 0.0  # linear from 0
    # evaluation
    knn_neighbours: int = 20
    knn_temperature: float = 0.1
    knn_every: int = 5  # epochs between two measurements; the last epoch is always measured
    probe_epochs: int = 100
    probe_batch_size: int = 256
    probe_lr_low: float = 3e-4  # the probe's rates are 1 and 3 times the powers of ten from here
    probe_lr_high: float = 100.0  # to here
    score_split: str = "validation"  # the split that accuracies are measured on
    # the run
    seed: int = 0  # everything random comes from it
    device: str = "auto"
    precision: str = "auto"  # of the encoders' forward and backward pass; auto: bfloat16 where the hardware has it

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
        for name in POSITIVE:
            if not (value := getattr(self, name)) > 0:
                raise ValueError(f"{name} must be above 0; got {value!r}")
        for name, most in CEILINGS.items():
            if (value := getattr(self, name)) > most:
                raise ValueError(f"{name} must be at most {most:g}; got {value!r}")
        for name in NOT_NEGATIVE:
            if not (value := getattr(self, name)) >= 0:
                raise ValueError(f"{name} must be 0 or more; got {value!r}")
        for name, (low, high) in SHARES.items():
            if not low <= (value := getattr(self, name)) <= high:
                raise ValueError(f"{name} must lie in [{low:g}, {high:g}]; got {value!r}")
        if not 0 < self.validation_share < 1:
            raise ValueError(f"validation_share must lie between 0 and 1: choices are made on that split; got {self.validation_share!r}")
        if self.probe_lr_high < 3.2 * self.probe_lr_low:
            raise ValueError(f"probe_lr_high must be at least 3.2 times probe_lr_low; got {self.probe_lr_high:g} and {self.probe_lr_low:g}")
        if self.batch_size % self.batch_norm_splits or self.batch_size // self.batch_norm_splits < 2:
            told = f"got {self.batch_size} and {self.batch_norm_splits}"
            raise ValueError(f"batch_size must be a multiple of batch_norm_splits with at least 2 images a split; {told}")

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Config":
        """The config with these values; a whole number serves where a real one is meant, nothing else is converted."""
        types = {field.name: type(field.default) for field in fields(cls)}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in types:
                raise ValueError(f"{name} is no field of a trial; the fields are {', '.join(types)}")
            if types[name] is float and type(value) is int and abs(value) < 1e300:
                value = float(value)
            if type(value) is not types[name] or (isinstance(value, float) and not math.isfinite(value)):
                raise ValueError(f"{name} must be {KINDS[types[name]]}; got {value!r}")
            checked[name] = value
        return cls(**checked)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by field name, as JSON keeps them."""
        return asdict(self)
