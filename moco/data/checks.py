"""What must hold of a dataset before a second of training, and what is said of it once.

Each refusal is one sentence: what must hold, what came, what to do.
"""

import hashlib
from collections.abc import Sequence
import numpy as np

MAX_NAMED = 5


class DataError(ValueError):
    """The data is wrong, and its user can mend it."""


def check_classes(train: Sequence[str], test: Sequence[str], where: str) -> None:
    """The same two or more class names in train and test.

    Raises:
        DataError: fewer than two classes, or names that only one of the splits has.
    """
    if len(train) < 2:
        found = f"only {train[0]!r}" if train else "none"
        raise DataError(
            f"a dataset needs at least two classes, else any model is always right; {where} has {found}. "
            f"Put one folder a class into train/ and test/, and check that the path is not one level too high or too low"
        )
    only_train, only_test = sorted(set(train) - set(test)), sorted(set(test) - set(train))
    if only_train or only_test:
        parts = [f"{named(names)} only in {split}/" for names, split in ((only_train, "train"), (only_test, "test")) if names]
        raise DataError(f"train/ and test/ must have the same class folders; {where} has {' and '.join(parts)}")


def check_labels(split: str, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Every label names a class and no class is empty.

    Raises:
        DataError: a label out of range or a class without images.
    """
    if len(labels) and (labels.min() < 0 or labels.max() >= len(classes)):
        raise DataError(f"labels of {split} must lie in [0, {len(classes) - 1}]; got {labels.min()} to {labels.max()}")
    counts = np.bincount(labels, minlength=len(classes))
    if not counts.all():
        raise DataError(
            f"every class needs images in {split}; {named([name for name, count in zip(classes, counts, strict=True) if not count])} has none"
        )


def duplicates(train: np.ndarray, test: np.ndarray) -> int:
    """How many test images are also training images, pixel for pixel; uint8 arrays (N, C, H, W)."""
    seen = {digest(image) for image in train}
    return sum(digest(image) in seen for image in test)


def digest(image: np.ndarray) -> bytes:
    """16 bytes that stand for an image."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def own_key_chance(queue_size: int, images: int) -> float:
    """The chance that a query's own key of the epoch before is still in the queue: K²/2N² for K ≤ N, 1 − (2N − K)²/2N² up to 2N."""
    k, n = queue_size, images
    return k * k / (2 * n * n) if k <= n else 1 - max(0, 2 * n - k) ** 2 / (2 * n * n)


def warnings(train: np.ndarray, test: np.ndarray, queue_size: int, images: int, modes: dict[str, int]) -> list[str]:
    """Sentences on what may be wrong; `images` is the number that a run pretrains on (queue 0: it has none), `modes` those of the files."""
    said = []
    if count := duplicates(train, test):
        said.append(
            f"{count} of {len(test)} test images are also training images, pixel for pixel: accuracies are too high by up to {count / len(test):.1%}."
        )
    if (chance := own_key_chance(queue_size, images)) > 0.01:
        said.append(
            f"A query's own key of the epoch before is still in the queue with probability {chance:.0%} "
            f"(queue {queue_size:,}, {images:,} training images): an image is then pushed away from itself, unless own_keys=mask."
        )
    if others := {mode: count for mode, count in modes.items() if mode != "RGB"}:
        listed = ", ".join(f"{count:,} {mode}" for mode, count in sorted(others.items()))
        said.append(f"{sum(others.values()):,} of {sum(modes.values()):,} images are not RGB and were converted: {listed}.")
    return said


def named(names: Sequence[str]) -> str:
    """The first few names, quoted, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(repr(name) for name in names[:MAX_NAMED]) + more
