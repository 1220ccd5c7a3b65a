"""The configuration of one trial: every number that can change its result, with its unit."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

CHOICES = {
    "method": ("moco", "supervised", "frozen"),
    "normalisation": ("dataset", "imagenet", "cifar10", "cifar10_images"),
    "views_blur": ("auto", "on", "off"),
    "views_flip": ("auto", "on", "off"),
    "stem": ("small", "imagenet"),
    "head": ("linear", "mlp"),
    "loss": ("asymmetric", "symmetric_mean", "symmetric_sum"),
    "key_momentum_schedule": ("constant", "cosine"),
    "batch_norm": ("shuffle", "split", "plain", "sync"),
    "own_keys": ("keep", "mask"),
    "schedule": ("cosine", "constant", "steps"),
    "decay_on": ("auto", "all", "weights"),
    "labels": ("true", "shuffled"),
    "attention_score": ("dot", "parametrised", "uniform"),
    "attention_output": ("replace", "join"),
    "attention_heads": ("concatenated", "independent"),
    "probe_optimizer": ("sgd", "lbfgs"),
    "probe_schedule": ("steps", "constant"),
    "probe_features": ("raw", "standardised"),
    "probe_each": ("off", "on"),
    "compile": ("off", "on"),
    "precision": ("auto", "float32", "bfloat16"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "score_split": ("validation", "test"),
}
POSITIVE = [
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
    "finetune_lr",
    "lr",
]
NOT_NEGATIVE = [
    "image_size",
    "input_size",
    "pictures",
    "train_images",
    "weight_decay",
    "warmup_epochs",
    "finetune_epochs",
    "seed",
    "split_seed",
]
CEILINGS = {  # beyond these a typing error is likelier than a wish
    "image_size": 1024, "input_size": 1024, "pictures": 1000,
    "width": 16.0, "projection_size": 65_536, "queue_size": 16_777_216, "batch_size": 65_536, "epochs": 100_000,
    "probe_epochs": 100_000, "probe_batch_size": 1_000_000, "finetune_epochs": 100_000, "warmup_epochs": 100_000,
    "lr": 1e30, "finetune_lr": 1e30, "weight_decay": 1e30, "probe_lr_high": 1e12, "temperature": 1e12, "seed": 2**31, "split_seed": 2**31,
}  # fmt: skip
LAYERS = ("layer1", "layer2", "layer3", "layer4")  # of a ResNet, by torchvision's names
KINDS = {int: "a whole number", float: "a number", str: "a word"}
SHARES = {"key_momentum": (0.0, 1.0), "momentum": (0.0, 1.0), "validation_share": (0.0, 1.0)}


def layers_of(placement: str) -> tuple[str, ...]:
    """The stages that `attention` names, joined by +; none of them for "none".

    Raises:
        ValueError: it names something else, or a stage twice.
    """
    layers = () if placement == "none" else tuple(placement.split("+"))
    if any(layer not in LAYERS for layer in layers) or len(set(layers)) != len(layers):
        raise ValueError(
            f"attention must be none, or some of {', '.join(LAYERS)} joined by +; got {placement!r}"
        )
    return layers


def told(default: Any, meaning: str) -> Any:
    """A field with its default and what it means."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Config:
    """One training run and its evaluation. Flat, frozen, and the same after a trip through JSON.

    Raises:
        ValueError: a field is unknown, has the wrong type or lies outside what is allowed; the message names all three.
    """

    method: str = told(
        "moco",
        "moco; supervised: the ceiling, trained on labels; frozen: no training, evaluates the encoder as it is",
    )
    # data
    dataset: str = told(
        "digits", "a name of moco.datasets.DATASETS, or the name of a folder of images"
    )
    image_size: int = told(0, "pixels a side; 0: the dataset's own (a folder: 32)")
    input_size: int = told(
        0, "pixels a side that the encoder sees, images are resized to it; 0: image_size"
    )
    train_images: int = told(0, "use only so many training images, evenly from all classes; 0: all")
    pretrain_split: str = told(
        "train",
        "what MoCo sees: train, unlabelled (stl10), extra (svhn), or both as in train+extra",
    )
    validation_share: float = told(
        0.2, "share of the training images that is held out for choosing"
    )
    split_seed: int = told(0, "which images are held out")
    labels: str = told(
        "true", "shuffled: training and validation labels at random, the floor of every accuracy"
    )
    normalisation: str = told(
        "dataset",
        "mean and deviation of the pixels: the training images' own, or a name of moco.data.NORMALISATIONS",
    )
    views: str = told("auto", "a name of moco.views.RECIPES; auto: the dataset's own")
    views_blur: str = told("auto", "blur half the views; auto: as the recipe has it")
    views_flip: str = told("auto", "mirror half the views; auto: as the recipe has it")
    # encoder
    encoder: str = told("resnet18", "any torchvision ResNet")
    stem: str = told(
        "small", "small: 3x3 stride 1 without pooling; imagenet: 7x7 stride 2 and max-pooling"
    )
    width: float = told(1.0, "multiplies the number of channels of every layer")
    head: str = told("mlp", "linear: MoCo v1; mlp: MoCo v2")
    projection_size: int = told(128, "C, features of a query or key")
    weights: str = told(
        "",
        "that the backbone begins from: a name of moco.pretrained.WEIGHTS, or a file; none: random ones",
    )
    weights_sha256: str = told("", "of that file: another content is refused")
    attention: str = told(
        "none", "stages whose maps are attended, as in layer2+layer3 (moco/attention.py)"
    )
    attention_score: str = told(
        "dot",
        "of a position: with the global vector, with a learned one, or uniform: a control of dot's size",
    )
    attention_output: str = told(
        "replace",
        "replace: the weighted sums are the features; join: they follow the global vector",
    )
    attention_heads: str = told(
        "concatenated",
        "independent: each of these vectors has a projection head of its own, their outputs are averaged",
    )
    # contrast
    loss: str = told(
        "asymmetric",
        "symmetric: both views are queries; sum, as in FAIR's CIFAR-10 demo, has twice mean's gradient",
    )
    queue_size: int = told(1024, "K, keys")
    own_keys: str = told("keep", "mask: an image's own older keys are no negatives of it")
    key_momentum: float = told(0.99, "m, of the key encoder's moving average")
    key_momentum_schedule: str = told("constant", "cosine: from m to 1 over the run")
    temperature: float = told(0.2, "T")
    batch_norm: str = told(
        "shuffle",
        "shuffle: groups, keys shuffled between them; split: groups; plain: a worker's batch; sync: all",
    )
    batch_norm_splits: int = told(4, "groups of a batch that are normalised apart")
    # optimization
    optimizer: str = told("sgd", "a name of moco.optimizers.OPTIMIZERS")
    lr: float = told(0.03, "peak learning rate; not scaled by the batch size")
    momentum: float = told(0.9, "of the optimizer, where it has one")
    weight_decay: float = told(1e-4, "coupled (L2) or decoupled as the optimizer's row says")
    decay_on: str = told(
        "auto",
        "all: every parameter; weights: not biases and norms; auto: weights for lars, lamb and muon, all for the others",
    )
    batch_size: int = told(128, "images a step over all workers")
    epochs: int = told(20, "passes over the training images")
    schedule: str = told("cosine", "of the learning rate; steps: a tenth after 60 % and 80 %")
    warmup_epochs: float = told(0.0, "linear from 0")
    # evaluation
    knn_neighbours: int = told(20, "k")
    knn_temperature: float = told(0.1, "of the neighbours' weights exp(cosine / temperature)")
    knn_every: int = told(5, "epochs between two measurements; the last epoch is always measured")
    probe_optimizer: str = told(
        "sgd", "sgd: the best of several learning rates; lbfgs: of several L2 penalties"
    )
    probe_epochs: int = told(100, "of sgd")
    probe_batch_size: int = told(256, "of sgd")
    probe_lr_low: float = told(3e-4, "sgd's rates are 1 and 3 times the powers of ten from here")
    probe_lr_high: float = told(100.0, "to here")
    probe_schedule: str = told(
        "steps", "of sgd's rate: a tenth after 60 % and 80 % of the epochs, or constant"
    )
    probe_features: str = told(
        "raw", "standardised: each feature with mean 0 and deviation 1 over the training images"
    )
    probe_each: str = told(
        "off", "on: what each of sgd's rates gives alone, by epoch, besides the best of them"
    )
    finetune_epochs: int = told(
        0, "epochs of training the whole encoder on labels after the probe; 0: none"
    )
    finetune_lr: float = told(0.03, "peak rate of that training, by SGD with momentum 0.9, cosine")
    score_split: str = told("validation", "the split that accuracies are measured on")
    pictures: int = told(0, "test images whose attention maps are left in pictures.json")
    # the run
    seed: int = told(0, "everything random comes from it")
    device: str = told("auto", "auto: cuda, else mps, else cpu")
    compile: str = told(
        "off",
        "on: torch.compile for the pretraining passes; costs a minute at the start, so for long runs on a GPU",
    )
    precision: str = told(
        "auto",
        "of the encoders' forward and backward pass; auto: bfloat16 where the hardware has it",
    )

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
            raise ValueError(
                f"validation_share must lie between 0 and 1: choices are made on that split; got {self.validation_share!r}"
            )
        if self.probe_lr_high < 9.99 * self.probe_lr_low:
            raise ValueError(
                f"probe_lr_high must be at least 10 times probe_lr_low; got {self.probe_lr_high:g} and {self.probe_lr_low:g}"
            )
        if self.probe_lr_low < 1e-12:
            raise ValueError(f"probe_lr_low must be at least 1e-12; got {self.probe_lr_low:g}")
        layers_of(self.attention)
        if self.probe_each == "on" and self.probe_optimizer != "sgd":
            raise ValueError("probe_each=on needs probe_optimizer=sgd: only that tries rates")
        if self.pictures and (self.probe_optimizer != "sgd" or self.probe_features != "raw"):
            raise ValueError(
                "pictures need probe_optimizer=sgd and probe_features=raw: only then do the probe's weights speak of positions"
            )
        if self.attention == "none" and (self.pictures or self.attention_heads == "independent"):
            raise ValueError(
                "pictures and attention_heads=independent need attention; got attention='none'"
            )
        if self.attention != "none" and self.method == "frozen":
            raise ValueError(
                "attention must be none for a frozen encoder: a file of weights holds the backbone alone, attention would be untrained"
            )
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs must not exceed epochs; got {self.warmup_epochs:g} and {self.epochs}"
            )
        if self.batch_size % self.splits or self.batch_size // self.splits < 2:
            came = f"got {self.batch_size} and {self.splits}"
            raise ValueError(
                f"batch_size must be a multiple of batch_norm_splits with at least 2 images a split; {came}"
            )

    @property
    def splits(self) -> int:
        """Groups of a whole batch that batch norm treats apart; 1 where the kind of batch norm has none."""
        return self.batch_norm_splits if self.batch_norm in ("shuffle", "split") else 1

    @property
    def keys_an_image(self) -> int:
        """How many keys of an image enter the queue when a batch with it is trained on."""
        return 1 if self.loss == "asymmetric" else 2

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Config":
        """The config with these values; a whole number serves where a real one is meant, nothing else is converted."""
        types = {field.name: type(field.default) for field in fields(cls)}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in types:
                raise ValueError(
                    f"{name} is no field of a trial; the fields are {', '.join(types)}"
                )
            if types[name] is float and type(value) is int and abs(value) < 1e300:
                value = float(value)
            if type(value) is not types[name] or (
                isinstance(value, float) and not math.isfinite(value)
            ):
                raise ValueError(f"{name} must be {KINDS[types[name]]}; got {value!r}")
            checked[name] = value
        return cls(**checked)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by field name, as JSON keeps them."""
        return asdict(self)
