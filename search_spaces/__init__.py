"""One question a file; each file is a table and offers one name, SPACE.

`optimizer_space` makes one of any optimizers.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search_spaces._optimizers import optimizer_space

__all__ = ["optimizer_space"]


def __getattr__(name: str) -> Any:
    """`optimizer_space`, imported when it is first used: listing the spaces needs no torch."""
    if name != "optimizer_space":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from search_spaces._optimizers import optimizer_space

    return optimizer_space
