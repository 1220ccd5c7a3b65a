"""Fair studies of any training: plan, run, judge, report.

What one needs to ask a question of one's own, or to read a study, is here by its short name; each
is imported when it is first used, so that reading a study loads neither Ray nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.design.functions.trainer import from_function
    from study.design.ranges import LogRange
    from study.design.space import Arm, Claim, Metric, Profile, Replica, Space
    from study.design.trainer import Trainer
    from study.design.words import Words
    from study.errors import StudyError
    from study.saved import Study

PUBLIC = {
    "from_function": "study.design.functions.trainer",
    "LogRange": "study.design.ranges",
    "Arm": "study.design.space",
    "Claim": "study.design.space",
    "Metric": "study.design.space",
    "Profile": "study.design.space",
    "Replica": "study.design.space",
    "Space": "study.design.space",
    "Study": "study.saved",
    "StudyError": "study.errors",
    "Trainer": "study.design.trainer",
    "Words": "study.design.words",
}
__all__ = [
    "Arm",
    "Claim",
    "LogRange",
    "Metric",
    "Profile",
    "Replica",
    "Space",
    "Study",
    "StudyError",
    "Trainer",
    "Words",
    "from_function",
]


def __getattr__(name: str) -> Any:
    """The public object of that name."""
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)
