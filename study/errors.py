"""The one error that a user of a study can mend; anything else is our mistake and keeps its traceback."""


class StudyError(ValueError):
    """The command, the data or the folder is wrong: one sentence says what must hold, what came, and what to do."""
