"""The one error that a user can mend; anything else is our mistake and keeps its traceback."""


class StudyError(ValueError):
    """The command, the data or the folder is wrong.

    One sentence says what must hold, what came, and what to do.
    """


class TrialsFailedError(StudyError):
    """The command was right, and all of a study's trials fail."""


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its name where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def why(error: OSError | ValueError) -> str:
    """What the system says of a file, without the name of an exception or of the file."""
    if isinstance(error, UnicodeError):
        return "it is no text in UTF-8"
    return getattr(error, "strerror", None) or str(error)
