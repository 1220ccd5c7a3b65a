"""Which test items a run got right, and the interval that covers them: the second draw of a result.

All runs are scored on the same test items. Where two arms err on different ones, their difference
depends on which items were drawn, as it depends on the seeds.
"""

import base64
import binascii
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Matrix = NDArray[np.float64]


def unpack_correct(text: object) -> Matrix | None:
    """1 for every test item that a run got right, else 0; None where a result does not say.

    Args:
        text: of a result: the number of items, a colon, and one bit each, the first item's the
            highest of the first byte, in base64.
    """
    if not isinstance(text, str) or ":" not in text:
        return None
    number, _, bits = text.partition(":")
    try:
        count, packed = int(number), np.frombuffer(base64.b64decode(bits, validate=True), np.uint8)
    except (ValueError, binascii.Error):  # no number, one of thousands of digits, or no base64
        return None
    if count <= 0 or len(packed) != -(-count // 8):
        return None
    return np.unpackbits(packed, count=count).astype(float)


class CrossedInterval(NamedTuple):
    """An interval of a mean over repetitions and test items, both drawn."""

    low: float
    high: float
    item_sd: float  # of the mean, that comes from the test items; 0 or more


def crossed_interval(values_RI: Matrix, level: float) -> CrossedInterval:
    """The interval of the mean of R repetitions, each measured on the same I items, two or more.

    Two-way random effects without replication (Scheffé 1959, chapter 7.4): repetitions, items and
    their interaction each have a variance, found from the mean squares. That of the mean is the
    variance of the repetitions' means over R, which holds the interaction, and that of the items
    over I; below 0 it counts as 0, so that the interval is never shorter than the t interval over
    repetitions. Each part has its own quantile of t, and their squares add up, as Graybill and Wang
    (1980) combine variances: by Satterthwaite's degrees of freedom alone, 5.7 % of 1,000 simulated
    intervals of 95 % missed at R = 8.
    """
    count, items = values_RI.shape
    by_repetition, by_item = values_RI.mean(1), values_RI.mean(0)
    mean = float(by_repetition.mean())
    square_r = float(np.var(by_repetition, ddof=1)) / count
    rest = values_RI - by_repetition[:, None] - by_item + mean
    interaction = float((rest**2).sum()) / ((count - 1) * (items - 1))
    square_i = max(0.0, float(np.var(by_item, ddof=1)) / items - interaction / (count * items))
    quantiles = stats.t.ppf(0.5 + level / 2, [count - 1, items - 1])
    half = math.hypot(quantiles[0] * math.sqrt(square_r), quantiles[1] * math.sqrt(square_i))
    return CrossedInterval(mean - half, mean + half, math.sqrt(square_i))
