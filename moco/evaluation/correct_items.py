"""One bit for every scored image: whether it was classified correctly, as a record carries it."""

import base64

import numpy as np
from torch import Tensor


def pack_correct(correct_N: Tensor) -> str:
    """The number of images, a colon, and a bit for each in base64, 8 a byte, highest bit first."""
    bits = np.packbits(correct_N.cpu().numpy().astype(bool))
    return f"{len(correct_N)}:{base64.b64encode(bits.tobytes()).decode()}"
