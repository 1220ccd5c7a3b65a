"""Checks of a dataset before training: errors that refuse it, and warnings about it.

An error is one sentence: what must hold, what was found, what to do.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

MAX_NAMES = 5  # quoted in one message


class DataError(ValueError):
    """The data is unusable; the message tells its user how to correct it."""


def check_classes(by_split: Mapping[str, Sequence[str]], where: str) -> None:
    """Check that all splits have the same class names, two or more.

    Args:
        by_split: the names by a split's own name, as "train/".

    Raises:
        DataError: fewer than two classes, or names that only some of the splits have.
    """
    splits = " and ".join(by_split)
    if least := next((names for names in by_split.values() if len(names) < 2), None):
        found = f"only {least[0]!r}"
    elif not all(by_split.values()):
        found = "none"
    else:
        everywhere = set.intersection(*map(set, by_split.values()))
        parts = [
            f"{quote_names(sorted(own))} only in {split}"
            for split, names in by_split.items()
            if (own := set(names) - everywhere)
        ]
        if not parts:
            return
        raise DataError(
            f"{splits} must have the same class folders; {where} has {' and '.join(parts)}"
        )
    raise DataError(
        "a dataset needs at least two classes, else any model is always right; "
        f"{where} has {found}. Put one folder a class into {splits}, "
        "and check that the path is not one level too high or too low"
    )


def check_labels(split: str, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Check that every label names a class and that no class is empty.

    Raises:
        DataError: a label is out of range, or a class has no images.
    """
    if len(labels) and (labels.min() < 0 or labels.max() >= len(classes)):
        raise DataError(
            f"labels of {split} must lie in [0, {len(classes) - 1}]; "
            f"got {labels.min()} to {labels.max()}"
        )
    counts = np.bincount(labels, minlength=len(classes))
    if not counts.all():
        empty = [name for name, count in zip(classes, counts, strict=True) if not count]
        raise DataError(f"every class needs images in {split}; {quote_names(empty)} has none")


def count_duplicates(train: np.ndarray, test: np.ndarray) -> int:
    """Number of test images that are also training images, pixel for pixel.

    Args:
        train: uint8 (N, C, H, W), like `test`.
    """
    digests = {image_digest(image) for image in train}
    return sum(image_digest(image) in digests for image in test)


def image_digest(image: np.ndarray) -> bytes:
    """A 16-byte BLAKE2b hash of an image's pixels."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def own_key_probability(queue_size: int, images: int, batch_size: int = 1) -> float:
    """Probability that a query's own key of the previous epoch is still in the queue.

    An epoch has S whole batches of B of the N images, in a new order, and the queue holds Q
    batches: q(q + 1) / 2S² of all pairs of places with q = Q for Q ≤ S, and the complement with
    q = 2S − Q − 1 above, times SB / N, since the images beyond the last whole batch have no key.
    """
    steps, held = images // batch_size, queue_size // batch_size
    if not steps:
        return 0.0
    pairs = held * (held + 1) / 2
    if held > steps:
        beyond = max(0, 2 * steps - held)
        pairs = steps**2 - beyond * (beyond - 1) / 2
    return pairs / steps**2 * steps * batch_size / images


def data_warnings(
    train: np.ndarray,
    test: np.ndarray,
    queue_size: int,
    images: int,
    modes: dict[str, int],
    batch_size: int = 1,
) -> list[str]:
    """One sentence for each problem of the data; empty without problems.

    Args:
        train: uint8 (N, C, H, W), like `test`.
        queue_size: keys; 0: the run has no queue.
        images: number of pretraining images.
        modes: number of files by colour mode.
        batch_size: images of a step.
    """
    warnings = []
    if count := count_duplicates(train, test):
        warnings.append(
            f"{count} of {len(test)} test images are also training images, pixel for pixel: "
            f"accuracies are too high by up to {count / len(test):.1%}."
        )
    if (probability := own_key_probability(queue_size, images, batch_size)) > 0.01:
        warnings.append(
            "A query's own key of the epoch before is still in the queue with probability "
            f"{probability:.0%} (queue {queue_size:,}, {images:,} training images): "
            "an image is then pushed away from itself, unless own_keys=mask."
        )
    if others := {mode: count for mode, count in modes.items() if mode != "RGB"}:
        listed = ", ".join(f"{count:,} {mode}" for mode, count in sorted(others.items()))
        warnings.append(
            f"{sum(others.values()):,} of {sum(modes.values()):,} images are not RGB "
            f"and were converted: {listed}."
        )
    return warnings


def quote_names(names: Sequence[str]) -> str:
    """The first names, quoted, and the number of the others."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(repr(name) for name in names[:MAX_NAMES]) + more
