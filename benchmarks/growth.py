"""How a cost grows with what it depends on, in a word."""

import math
from collections.abc import Sequence


def growth(sizes: Sequence[float], costs: Sequence[float]) -> str:
    """not at all, less than linearly, linearly, or worse: by the exponent between the two largest
    sizes (cost ~ size^exponent).
    """
    exponent = math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2])
    for most, word in ((0.15, "not at all"), (0.85, "less than linearly"), (1.15, "linearly")):
        if exponent <= most:
            return f"{word} (exponent {exponent:.2f})"
    return f"worse than linearly (exponent {exponent:.2f})"
