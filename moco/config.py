"""The configuration of one trial: every number that can change its result, with its unit."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

LAYERS = ("layer1", "layer2", "layer3", "layer4")  # of a ResNet, by torchvision's names
TYPES = {int: "a whole number", float: "a number", str: "a word"}


class Option(NamedTuple):
    """What a field means and which values it takes; help texts and checks follow from it."""

    help: str
    choices: tuple[str, ...] = ()  # the only values; none: any
    above: float | None = None  # the value must be larger
    low: float | None = None  # the value must be at least this
    high: float | None = None  # and at most that
    check: Callable[[str], Any] | None = None  # raises ValueError

    def problem(self, name: str, value: Any) -> str:
        """What is wrong with a value, in a sentence; empty where nothing is."""
        if self.choices and value not in self.choices:
            return f"{name} must be one of {', '.join(self.choices)}; got {value!r}"
        if self.above is not None and not value > self.above:
            return f"{name} must be above {self.above:g}; got {value!r}"
        if self.low is not None and self.high is not None and self.high <= 1:
            inside = self.low <= value <= self.high
            return (
                "" if inside else f"{name} must lie in [{self.low:g}, {self.high:g}]; got {value!r}"
            )
        if self.low is not None and not value >= self.low:
            return f"{name} must be {self.low:g} or more; got {value!r}"
        if self.high is not None and value > self.high:
            return f"{name} must be at most {self.high:g}; got {value!r}"
        return ""


def option(default: Any, help: str, **limits: Any) -> Any:
    """A field with its default, what it means, and the limits of an `Option`."""
    return field(default=default, metadata={"option": Option(help, **limits)})


def attended_layers(placement: str) -> tuple[str, ...]:
    """The stages that `attention` names, joined by +; none of them for "none".

    Raises:
        ValueError: it names something else, or a stage twice.
    """
    layers = () if placement == "none" else tuple(placement.split("+"))
    if any(layer not in LAYERS for layer in layers) or len(set(layers)) != len(layers):
        names = ", ".join(LAYERS)
        raise ValueError(
            f"attention must be none, or some of {names} joined by +; got {placement!r}"
        )
    return layers


ON_OFF = ("off", "on")
AUTO_ON_OFF = ("auto", "on", "off")
EPOCHS = 100_000  # beyond these a typing error is likelier than a wish
HUGE = 1e30
SEEDS = 2**31


@dataclass(frozen=True)
class Config:
    """One training run and its evaluation. Flat, frozen, unchanged by a trip through JSON.

    Raises:
        ValueError: a field is unknown, has the wrong type or lies outside its limits; the message
            names field, value and limits.
    """

    method: str = option(
        "moco",
        "moco; supervised: trained on labels, the ceiling; frozen: evaluates the encoder as it is",
        choices=("moco", "supervised", "frozen"),
    )
    # data
    dataset: str = option(
        "digits", "a name of moco.data.datasets.DATASETS, or the name of a folder of images"
    )
    image_size: int = option(
        0, "pixels per side; 0: the dataset's own (a folder: 32)", low=0, high=1024
    )
    input_size: int = option(
        0,
        "pixels per side that the encoder sees, images are resized to it; 0: image_size",
        low=0,
        high=1024,
    )
    train_images: int = option(
        0, "use only so many training images, evenly from all classes; 0: all", low=0
    )
    pretrain_split: str = option(
        "train",
        "images for MoCo: train, unlabelled (stl10), extra (svhn), or both as in train+extra",
    )
    validation_share: float = option(
        0.2, "share of the training images held out for choices", low=0.0, high=1.0
    )
    split_seed: int = option(0, "selects the images that are held out", low=0, high=SEEDS)
    labels: str = option(
        "true",
        "shuffled: random training and validation labels, the floor of every accuracy",
        choices=("true", "shuffled"),
    )
    normalisation: str = option(
        "dataset",
        "mean and deviation of the pixels: the training images' own, or published ones",
        choices=("dataset", "imagenet", "cifar10", "cifar10_images"),
    )
    views: str = option("auto", "a name of moco.data.augmentation.RECIPES; auto: the dataset's own")
    views_blur: str = option(
        "auto", "blur half the views; auto: as in the recipe", choices=AUTO_ON_OFF
    )
    views_flip: str = option(
        "auto", "mirror half the views; auto: as in the recipe", choices=AUTO_ON_OFF
    )
    # encoder
    encoder: str = option("resnet18", "any torchvision ResNet")
    stem: str = option(
        "small",
        "small: 3x3 stride 1 without pooling; imagenet: 7x7 stride 2 and max-pooling",
        choices=("small", "imagenet"),
    )
    width: float = option(1.0, "factor of the channels of every layer", above=0, high=16.0)
    head: str = option("mlp", "linear: MoCo v1; mlp: MoCo v2", choices=("linear", "mlp"))
    projection_size: int = option(128, "C, features of a query or key", above=0, high=65_536)
    weights: str = option(
        "",
        "initial weights of the backbone: a name of moco.model.published_weights.WEIGHTS, or a "
        "file; none: random",
    )
    weights_sha256: str = option("", "SHA-256 of that file; another content is refused")
    attention: str = option(
        "none",
        "stages whose maps are attended, as in layer2+layer3 (moco/model/attention.py)",
        check=attended_layers,
    )
    attention_score: str = option(
        "dot",
        "of a position: with the global vector, with a learned one, or uniform: a control with "
        "dot's parameters",
        choices=("dot", "parametrised", "uniform"),
    )
    attention_output: str = option(
        "replace",
        "replace: the weighted sums are the features; join: they follow the global vector",
        choices=("replace", "join"),
    )
    attention_heads: str = option(
        "concatenated",
        "independent: each of these vectors has its own projection head, outputs are averaged",
        choices=("concatenated", "independent"),
    )
    # contrast
    loss: str = option(
        "asymmetric",
        "symmetric: both views are queries; sum, as in FAIR's CIFAR-10 demo, has twice the "
        "gradient of mean",
        choices=("asymmetric", "symmetric_mean", "symmetric_sum"),
    )
    queue_size: int = option(1024, "K, keys", above=0, high=16_777_216)
    own_keys: str = option(
        "keep", "mask: an image's own older keys are no negatives of it", choices=("keep", "mask")
    )
    key_momentum: float = option(0.99, "m, of the key encoder's moving average", low=0.0, high=1.0)
    key_momentum_schedule: str = option(
        "constant", "cosine: from m to 1 over the run", choices=("constant", "cosine")
    )
    temperature: float = option(0.2, "T", above=0, high=1e12)
    batch_norm: str = option(
        "shuffle",
        "shuffle: groups, keys shuffled between them; split: groups; plain: a worker's batch; "
        "sync: the batch of all workers",
        choices=("shuffle", "split", "plain", "sync"),
    )
    batch_norm_splits: int = option(4, "groups of a batch that are normalised separately", above=0)
    # optimization
    optimizer: str = option("sgd", "a name of moco.training.optimizers.OPTIMIZERS")
    lr: float = option(0.03, "peak learning rate; not scaled by the batch size", above=0, high=HUGE)
    momentum: float = option(0.9, "of the optimizer, where it has one", low=0.0, high=1.0)
    weight_decay: float = option(
        1e-4, "coupled (L2) or decoupled as the optimizer's row says", low=0, high=HUGE
    )
    decay_on: str = option(
        "auto",
        "all: every parameter; weights: not biases and norms; auto: weights for lars, lamb and "
        "muon, all for the others",
        choices=("auto", "all", "weights"),
    )
    batch_size: int = option(128, "images per step over all workers", above=0, high=65_536)
    epochs: int = option(20, "passes over the training images", above=0, high=EPOCHS)
    schedule: str = option(
        "cosine",
        "of the learning rate; steps: a tenth after 60 % and 80 %",
        choices=("cosine", "constant", "steps"),
    )
    warmup_epochs: float = option(0.0, "linear from 0", low=0, high=EPOCHS)
    # evaluation
    knn_neighbours: int = option(20, "k", above=0)
    knn_temperature: float = option(
        0.1, "of the neighbours' weights exp(cosine / temperature)", above=0
    )
    knn_every: int = option(
        5, "epochs between two measurements; the last epoch is always measured", above=0
    )
    probe_optimizer: str = option(
        "sgd",
        "sgd: the best of several learning rates; lbfgs: of several L2 penalties",
        choices=("sgd", "lbfgs"),
    )
    probe_epochs: int = option(100, "of sgd", above=0, high=EPOCHS)
    probe_batch_size: int = option(256, "of sgd, images", above=0, high=1_000_000)
    probe_lr_low: float = option(
        3e-4, "lowest of sgd's learning rates, 1 and 3 times the powers of ten", low=1e-12
    )
    probe_lr_high: float = option(100.0, "highest of them", above=0, high=1e12)
    probe_schedule: str = option(
        "steps",
        "of sgd's rate: a tenth after 60 % and 80 % of the epochs, or constant",
        choices=("steps", "constant"),
    )
    probe_features: str = option(
        "raw",
        "standardised: each feature with mean 0 and deviation 1 over the training images",
        choices=("raw", "standardised"),
    )
    probe_each: str = option(
        "off",
        "on: accuracy by epoch for each of sgd's rates, besides the best of them",
        choices=ON_OFF,
    )
    finetune_epochs: int = option(
        0,
        "epochs of training the whole encoder on labels after the probe; 0: none",
        low=0,
        high=EPOCHS,
    )
    finetune_lr: float = option(
        0.03,
        "peak rate of that training, by SGD with momentum 0.9, cosine",
        above=0,
        high=HUGE,
    )
    score_split: str = option(
        "validation", "split that accuracies are measured on", choices=("validation", "test")
    )
    pictures: int = option(
        0, "test images whose attention maps are written to pictures.json", low=0, high=1000
    )
    # the run
    seed: int = option(0, "everything random follows from it", low=0, high=SEEDS)
    device: str = option(
        "auto", "auto: cuda, else mps, else cpu", choices=("auto", "cpu", "cuda", "mps")
    )
    compile: str = option(
        "off",
        "on: torch.compile for the pretraining passes; takes a minute at the start, so for long "
        "runs on a GPU",
        choices=ON_OFF,
    )
    precision: str = option(
        "auto",
        "of the encoders' forward and backward pass; auto: bfloat16 where it is faster",
        choices=("auto", "float32", "bfloat16"),
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            limits, value = limits_of(one), getattr(self, one.name)
            if problem := limits.problem(one.name, value):
                raise ValueError(problem)
            if limits.check:
                limits.check(value)
        for rule in RULES:
            if rule.is_broken(self):
                raise ValueError(rule.message.format(self=self))

    @property
    def splits(self) -> int:
        """Groups of a whole batch that batch norm treats apart; 1 where batch norm has none."""
        return self.batch_norm_splits if self.batch_norm in ("shuffle", "split") else 1

    @property
    def keys_per_image(self) -> int:
        """How many keys of an image enter the queue when a batch with it is trained on."""
        return 1 if self.loss == "asymmetric" else 2

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Config":
        """The config with these values; a whole number serves as a real one, nothing else is converted."""
        types = {one.name: type(one.default) for one in fields(cls)}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in types:
                raise ValueError(
                    f"{name} is no field of a trial; the fields are {', '.join(types)}"
                )
            if types[name] is float and type(value) is int and abs(value) < 1e300:
                value = float(value)
            infinite = isinstance(value, float) and not math.isfinite(value)
            if type(value) is not types[name] or infinite:
                raise ValueError(f"{name} must be {TYPES[types[name]]}; got {value!r}")
            checked[name] = value
        return cls(**checked)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by field name, as JSON keeps them."""
        return asdict(self)


def limits_of(one: Any) -> Option:
    """The option of a dataclass field of Config."""
    return one.metadata["option"]


class Rule(NamedTuple):
    """What must hold between fields."""

    is_broken: Callable[[Config], bool]
    message: str  # {self} is the config


RULES = (
    Rule(
        lambda c: not 0 < c.validation_share < 1,
        "validation_share must lie between 0 and 1: choices are made on that split; "
        "got {self.validation_share!r}",
    ),
    Rule(
        lambda c: c.probe_lr_high < 9.99 * c.probe_lr_low,
        "probe_lr_high must be at least 10 times probe_lr_low; "
        "got {self.probe_lr_high:g} and {self.probe_lr_low:g}",
    ),
    Rule(
        lambda c: c.probe_each == "on" and c.probe_optimizer != "sgd",
        "probe_each=on needs probe_optimizer=sgd: only that tries rates",
    ),
    Rule(
        lambda c: c.pictures > 0 and (c.probe_optimizer != "sgd" or c.probe_features != "raw"),
        "pictures need probe_optimizer=sgd and probe_features=raw: only then do the probe's "
        "weights speak of positions",
    ),
    Rule(
        lambda c: c.attention == "none" and (c.pictures > 0 or c.attention_heads == "independent"),
        "pictures and attention_heads=independent need attention; got attention='none'",
    ),
    Rule(
        lambda c: c.attention != "none" and c.method == "frozen",
        "attention must be none for a frozen encoder: a file of weights holds the backbone alone, "
        "attention would be untrained",
    ),
    Rule(
        lambda c: c.warmup_epochs > c.epochs,
        "warmup_epochs must not exceed epochs; got {self.warmup_epochs:g} and {self.epochs}",
    ),
    Rule(
        lambda c: c.batch_size % c.splits > 0 or c.batch_size // c.splits < 2,
        "batch_size must be a multiple of batch_norm_splits with at least 2 images a split; "
        "got {self.batch_size} and {self.splits}",
    ),
)
