"""What MoCo's fields and numbers are called, for a study's tables and page."""

from typing import Any, NamedTuple

from moco.config import Config

TRAINED = ("method", ("moco", "supervised"))  # configs whose training reads a field
CONTRASTED = ("method", ("moco",))
REFERENCES = """@inproceedings{he2020moco,
  title     = {Momentum Contrast for Unsupervised Visual Representation Learning},
  author    = {He, Kaiming and Fan, Haoqi and Wu, Yuxin and Xie, Saining and Girshick, Ross},
  booktitle = {CVPR},
  year      = {2020}
}
"""
TERMS = {
    "Probe accuracy": "of a linear classifier that is trained on the frozen features, on images "
    "which neither saw",
    "kNN accuracy": "of a vote among the training images with the nearest features; nothing is "
    "trained for it",
    "Fine-tuned accuracy": "of the encoder trained on with labels",
    "Pretraining loss": "in nats: the mean of −ln of the probability given to the positive key; "
    "guessing among it and a queue of K gives ln(1 + K)",
    "Collapsed": "the features of all images lie in a few dimensions",
}


class MoCoWords(NamedTuple):
    """Words that a study prints; it has no names of its own for what it trains."""

    epochs: str = "epochs"
    set_by_study: tuple[str, ...] = ("dataset", "method")
    # fields that the fairness ledger shows, and which configs read them
    fixed: tuple[tuple[str, tuple[str, tuple[str, ...]]], ...] = (
        ("schedule", TRAINED),
        ("batch_size", TRAINED),
        ("queue_size", CONTRASTED),
        ("temperature", CONTRASTED),
        ("key_momentum", CONTRASTED),
    )
    # numbers of an epoch that are shown while it runs: name, title, scale, digits
    live: tuple[tuple[str, str, float, int], ...] = (
        ("loss", "loss", 1.0, 3),
        ("knn_accuracy", "kNN, %", 100.0, 1),
        ("images_per_second", "images/s", 1.0, 0),
    )
    not_compared: tuple[str, ...] = ("pictures",)
    alike: dict[str, Any] = {"precision": "the precision of the encoders’ passes"}  # noqa: RUF012
    inputs: dict[str, Any] = {"weights_sha256": "Weights", "code_sha256": "Own code"}  # noqa: RUF012
    begins_from: str = "weights_sha256"
    command: str = "python -m moco"
    defaults: dict[str, Any] = Config().to_dict()
    references: str = REFERENCES
    seed: str = "initialisation, data order, views, queue and probe"
    same: str = "data, encoder, epochs and evaluation"
    not_estimated: str = "the probe"
    loss: str = (
        "Chance is {chance} nats for our queue; a loss at another queue size could not be compared "
        "with it. The queue begins with random keys, so the first steps are easier than chance."
    )
    packages: tuple[str, ...] = ("torch", "torchvision", "timm", "numpy", "PIL", "safetensors")
    terms: dict[str, Any] = TERMS
    pictures: str = "pictures"
    pictures_title: str = "Attention maps"
    pictures_note: str = (
        "Attention maps show what an encoder takes its features from; they do not say that this is "
        "why an answer is right. The maps of the probe’s answer show what that rests on: each "
        "position’s part in its score, where it speaks for it. Weights are laid over the image "
        "without smoothing and scaled to the image’s own maximum; those below 0.1 of it are left "
        "clear. Positions: the exponential of the weights’ entropy, 1 where all lies on one, all "
        "of them where none is preferred."
    )


WORDS = MoCoWords()
