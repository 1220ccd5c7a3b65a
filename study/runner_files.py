"""A trial's files: where they are while it runs, and where they are kept."""

from pathlib import Path


class Files:
    """A folder that every node sees under the same path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, trial: str) -> Path:
        """The trial's folder on this node, with what was kept of it."""
        return self.folder / trial

    def keep(self, trial: str, folder: Path) -> None:
        """Keeps what the folder holds now: nothing to do."""

    def scratch(self, name: str) -> Path:
        """A place for what need not be kept."""
        return self.folder.parent / ".tune" / name
