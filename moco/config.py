"""The configuration of one trial: every number that can change its result, with its unit."""

import math
import re
from collections.abc import Callable
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, NamedTuple

LAYERS = ("layer1", "layer2", "layer3", "layer4")  # of a ResNet, by torchvision's names
TYPES = {int: "a whole number", float: "a number", str: "a word"}


class Option(NamedTuple):
    """What a field means and which values it takes; help texts and checks follow from it."""

    help: str
    unit: str = ""
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
            return f"{name} must be above {plain(self.above)}; got {value!r}"
        if (self.low, self.high) == (0, 1) and not 0 <= value <= 1:
            return f"{name} must lie in [0, 1]; got {value!r}"
        if self.low is not None and not value >= self.low:
            return f"{name} must be {plain(self.low)} or more; got {value!r}"
        if self.high is not None and value > self.high:
            return f"{name} must be at most {plain(self.high)}; got {value!r}"
        return ""


def plain(limit: float) -> str:
    """A limit with all its digits where it is whole and a person would write it so."""
    return str(int(limit)) if limit == int(limit) and abs(limit) < 1e12 else f"{limit:g}"


def is_sha256(word: str) -> None:
    """Check that a word is empty or a SHA-256.

    Raises:
        ValueError: it is neither.
    """
    if word and not re.fullmatch(r"[0-9a-f]{64}", word):
        raise ValueError(f"a SHA-256 must be 64 hexadecimal digits; got {word!r}")


def option(default: Any, help: str, **limits: Any) -> Any:
    """A dataclass field with its default and its `Option`, whose other items are `limits`."""
    return field(default=default, metadata={"option": Option(help, **limits)})


def option_of(config_field: Field[Any]) -> Option:
    """The Option of a dataclass field of Config."""
    return config_field.metadata["option"]


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
# beyond these a typing error is likelier than a wish
MAX_EPOCHS = 100_000
MAX_RATE = 1e30
MAX_SEED = 2**31


@dataclass(frozen=True)
class Config:
    """One training run and its evaluation. Flat, frozen, unchanged by a trip through JSON.

    Raises:
        ValueError: a field is unknown, has the wrong type or lies outside its limits; the message
            names field, value and limits.
    """

    method: str = option(
        "moco",
        "moco: contrastive pretraining; supervised: training on labels, the ceiling; frozen: "
        "evaluates the encoder as it is; pixels: evaluates the images themselves",
        choices=("moco", "supervised", "frozen", "pixels"),
    )
    # data
    dataset: str = option(
        "digits", "the images: a name, a folder, a file of arrays, or a function of one's own"
    )
    image_size: int = option(
        0,
        "side of the stored images; 0: the dataset's own (a folder: 32)",
        unit="pixels",
        low=0,
        high=1024,
    )
    input_size: int = option(
        0,
        "side of the encoder's input, to which images are resized; 0: image_size",
        unit="pixels",
        low=0,
        high=1024,
    )
    train_images: int = option(
        0,
        "size of a subset of the training split with balanced classes; 0: all",
        unit="images",
        low=0,
    )
    labelled: int = option(
        0,
        "training images of each class whose labels kNN and probe learn from; 0: all",
        unit="images",
        low=0,
    )
    pretrain_split: str = option(
        "train",
        "images for MoCo: train, unlabelled (stl10, or a folder's), extra (svhn), or both as in "
        "train+extra",
    )
    validation_share: float = option(
        0.2,
        "share of the training images held out as the validation split, between 0 and 1",
        low=0.0,
        high=1.0,
    )
    split_seed: int = option(0, "selects the images that are held out", low=0, high=MAX_SEED)
    labels: str = option(
        "true",
        "shuffled: random training and validation labels, the floor of every accuracy",
        choices=("true", "shuffled"),
    )
    normalisation: str = option(
        "dataset",
        "mean and standard deviation of the pixels: of the training images, or published ones",
        choices=("dataset", "imagenet", "cifar10", "cifar10_images"),
    )
    views: str = option(
        "auto",
        "augmentation, the name of a recipe; auto: the dataset's own",
    )
    views_blur: str = option(
        "auto",
        "Gaussian blur of a view with probability 0.5; auto: as in the recipe",
        choices=AUTO_ON_OFF,
    )
    views_flip: str = option(
        "auto",
        "horizontal flip of a view with probability 0.5; auto: as in the recipe",
        choices=AUTO_ON_OFF,
    )
    # encoder
    encoder: str = option(
        "resnet18",
        "a ResNet of torchvision, resnet10 (one block a stage), timm:NAME, or module:function of "
        "one's own; stem and width are of ResNets alone",
    )
    stem: str = option(
        "small",
        "first layers; small: 3x3 convolution, stride 1, no pooling; strided: the same with stride "
        "2; imagenet: 7x7 convolution, stride 2, max-pooling",
        choices=("small", "strided", "imagenet"),
    )
    width: float = option(
        1.0, "factor on the number of channels of every layer", above=0, high=16.0
    )
    head: str = option(
        "mlp",
        "projection head; linear: MoCo v1; mlp: MoCo v2, with a hidden layer",
        choices=("linear", "mlp"),
    )
    projection_size: int = option(
        128, "size of queries and keys (C)", unit="features", above=0, high=65_536
    )
    weights: str = option(
        "",
        "initial weights of the backbone: the name of published ones, as fair-moco-v2, or a "
        "file; none: random",
    )
    weights_sha256: str = option(
        "", "SHA-256 of the file of weights; other content is refused", check=is_sha256
    )
    attention: str = option(
        "none",
        "stages with attention over their maps, as in layer2+layer3 (moco/model/attention.py)",
        check=attended_layers,
    )
    attention_score: str = option(
        "dot",
        "compatibility of a position; dot: with the global vector; parametrised: with a learned "
        "vector; uniform: constant, a control with dot's parameters",
        choices=("dot", "parametrised", "uniform"),
    )
    attention_output: str = option(
        "replace",
        "replace: the weighted sums of the stages are the features; join: the global vector, then "
        "the sums",
        choices=("replace", "join"),
    )
    attention_heads: str = option(
        "concatenated",
        "concatenated: one projection head for all vectors of attention_output; independent: one "
        "for each, outputs averaged",
        choices=("concatenated", "independent"),
    )
    # contrast
    loss: str = option(
        "asymmetric",
        "symmetric: each view is query of the other; sum, as in FAIR's CIFAR-10 demo, has twice "
        "the gradient of mean",
        choices=("asymmetric", "symmetric_mean", "symmetric_sum"),
    )
    queue_size: int = option(1024, "length of the queue (K)", unit="keys", above=0, high=16_777_216)
    own_keys: str = option(
        "keep",
        "older keys of the query's own image in the queue; keep: as negatives; mask: left out of "
        "the loss",
        choices=("keep", "mask"),
    )
    key_momentum: float = option(
        0.99, "momentum of the key encoder's moving average (m)", low=0.0, high=1.0
    )
    key_momentum_schedule: str = option(
        "constant",
        "cosine: from key_momentum to 1 over the run",
        choices=("constant", "cosine"),
    )
    temperature: float = option(
        0.2, "divisor of the cosine similarities in InfoNCE (T)", above=0, high=1e12
    )
    batch_norm: str = option(
        "shuffle",
        "statistics over; shuffle: groups, keys shuffled between them; split: groups; plain: the "
        "batch of a worker; sync: the batch of all workers",
        choices=("shuffle", "split", "plain", "sync"),
    )
    batch_norm_splits: int = option(
        4, "number of equal groups of a batch for shuffle and split", unit="groups", above=0
    )
    # optimization
    optimizer: str = option(
        "sgd",
        "a name, or module:class of a torch.optim.Optimizer of one's own",
    )
    code_sha256: str = option(
        "",
        "SHA-256 of the source of what is named module:object; other code is refused",
        check=is_sha256,
    )
    lr: float = option(
        0.03, "peak learning rate; not scaled by the batch size", above=0, high=MAX_RATE
    )
    momentum: float = option(0.9, "momentum of the optimizer, where it has one", low=0.0, high=1.0)
    weight_decay: float = option(
        1e-4,
        "weight decay, coupled (L2) or decoupled depending on the optimizer",
        low=0,
        high=MAX_RATE,
    )
    decay_on: str = option(
        "auto",
        "parameters with weight decay; all: every one; weights: not biases and norms; auto: "
        "weights for lars, lamb and muon, all for the others",
        choices=("auto", "all", "weights"),
    )
    batch_size: int = option(
        128, "batch of a step over all workers", unit="images", above=0, high=65_536
    )
    epochs: int = option(
        20, "passes over the training images", unit="epochs", above=0, high=MAX_EPOCHS
    )
    schedule: str = option(
        "cosine",
        "of the learning rate after the warm-up; steps: divided by 10 after 60 % and 80 %",
        choices=("cosine", "constant", "steps"),
    )
    warmup_epochs: float = option(
        0.0,
        "linear warm-up of the learning rate from 0, part of epochs",
        unit="epochs",
        low=0,
        high=MAX_EPOCHS,
    )
    # evaluation
    knn_neighbours: int = option(
        20, "nearest images that vote for a class (k)", unit="images", above=0
    )
    knn_temperature: float = option(
        0.1, "temperature of their votes exp(cosine / temperature)", above=0
    )
    knn_every: int = option(
        5,
        "interval of kNN evaluations; the last epoch is always evaluated",
        unit="epochs",
        above=0,
    )
    probe_optimizer: str = option(
        "sgd",
        "of the linear probe; sgd: the best of several learning rates; lbfgs: the best of several "
        "L2 penalties",
        choices=("sgd", "lbfgs"),
    )
    probe_epochs: int = option(
        100, "training of the SGD probe", unit="epochs", above=0, high=MAX_EPOCHS
    )
    probe_batch_size: int = option(
        256, "batch of the SGD probe", unit="images", above=0, high=1_000_000
    )
    probe_rates: str = option(
        "relative",
        "learning rates of the SGD probe; relative: times 1 / mean squared norm of the training "
        "features, whose scale then has no effect; raw: as they are",
        choices=("relative", "raw"),
    )
    probe_lr_low: float = option(
        0.1,
        "smallest learning rate of the SGD probe, which tries 1 and 3 times the powers of ten",
        low=1e-12,
    )
    probe_lr_high: float = option(
        10_000.0, "largest learning rate of the SGD probe", above=0, high=1e12
    )
    probe_schedule: str = option(
        "steps",
        "of the SGD probe's learning rate; steps: divided by 10 after 60 % and 80 % of its epochs",
        choices=("steps", "constant"),
    )
    probe_features: str = option(
        "raw",
        "input of the probe; standardised: each feature with mean 0 and standard deviation 1 over "
        "the training images",
        choices=("raw", "standardised"),
    )
    probe_each: str = option(
        "off",
        "on: also save the accuracy of every learning rate of the SGD probe after every epoch",
        choices=ON_OFF,
    )
    finetune_epochs: int = option(
        0,
        "fine-tuning of a copy of the encoder on labels after the probe; 0: none",
        unit="epochs",
        low=0,
        high=MAX_EPOCHS,
    )
    finetune_lr: float = option(
        0.03,
        "peak learning rate of fine-tuning, by SGD with momentum 0.9 and a cosine schedule",
        above=0,
        high=MAX_RATE,
    )
    score_split: str = option(
        "validation", "split that accuracies are measured on", choices=("validation", "test")
    )
    pictures: int = option(
        0,
        "images of score_split whose attention maps are written to pictures.json",
        unit="images",
        low=0,
        high=1000,
    )
    # the run
    seed: int = option(
        0,
        "of everything random except the choice of held-out images (split_seed)",
        low=0,
        high=MAX_SEED,
    )
    device: str = option(
        "auto", "auto: cuda, else mps, else cpu", choices=("auto", "cpu", "cuda", "mps")
    )
    compile: str = option(
        "off",
        "on: torch.compile for the pretraining passes; compiling takes about a minute, so for long "
        "runs on a GPU",
        choices=ON_OFF,
    )
    precision: str = option(
        "auto",
        "of the encoders' forward and backward pass; auto: bfloat16 where it is faster, float16 "
        "with loss scaling on a GPU that has no bfloat16",
        choices=("auto", "float32", "bfloat16", "float16"),
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            declared, value = option_of(one), getattr(self, one.name)
            if problem := declared.problem(one.name, value):
                raise ValueError(problem)
            if declared.check:
                declared.check(value)
        for rule in RULES:
            if rule.is_broken(self):
                raise ValueError(rule.message.format(self=self))

    @property
    def splits(self) -> int:
        """Groups of a whole batch that batch norm treats apart; 1 where batch norm has none."""
        return self.batch_norm_splits if self.batch_norm in ("shuffle", "split") else 1

    @property
    def pretrains(self) -> bool:
        """Whether an encoder is trained before it is evaluated."""
        return self.method in ("moco", "supervised")

    @property
    def keys_per_image(self) -> int:
        """How many keys of an image enter the queue when a batch with it is trained on."""
        return 1 if self.loss == "asymmetric" else 2

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Config":
        """The config with these values; an int serves as a float, nothing else is converted.

        Raises:
            ValueError: a name is no field, a value has another type, is infinite or breaks a rule.
        """
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


class Rule(NamedTuple):
    """What must hold between fields, each of which is within its own limits."""

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
        lambda c: c.method in ("frozen", "pixels") and c.pictures > 0,
        "pictures must be 0 with method={self.method}, which has no attention to show; got "
        "{self.pictures}",
    ),
    Rule(
        lambda c: c.attention == "none" and (c.pictures > 0 or c.attention_heads == "independent"),
        "pictures and attention_heads=independent need attention; got attention='none'",
    ),
    Rule(
        lambda c: c.attention != "none" and ":" in c.encoder,
        "attention must be none with encoder={self.encoder}: it attends to stages of a ResNet",
    ),
    Rule(
        lambda c: c.attention != "none" and c.method == "frozen",
        "attention must be none for a frozen encoder: a file of weights holds the backbone alone, "
        "attention would be untrained",
    ),
    Rule(
        lambda c: c.attention != "none" and c.method == "pixels",
        "attention must be none with method=pixels, which has no encoder",
    ),
    Rule(
        lambda c: c.method == "pixels" and bool(c.weights),
        "weights must be none with method=pixels, which has no encoder; got {self.weights!r}",
    ),
    Rule(
        lambda c: c.method == "pixels" and c.finetune_epochs > 0,
        "finetune_epochs must be 0 with method=pixels, which has nothing to fine-tune; got "
        "{self.finetune_epochs}",
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
