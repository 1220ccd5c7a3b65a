"""A study whose folder is an address, s3://bucket/study say: worked on here and mirrored there."""

from pathlib import Path
from typing import Any

import fsspec

from study.errors import StudyError
from study.store.locks import lock_folder
from study.text import hide_passwords

FILES = (
    "study.json",
    "records.jsonl",
    "optuna.db",
    "trials.csv",
    "epochs.csv",
    "report.html",
    "verdict.json",
    "study.toml",
    "trials.jsonl",
)


class RemoteFolder:
    """The study's files at an address; one run at a time, since no lock reaches there."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url.rstrip("/"), folder
        self.name = hide_passwords(self.url)

    def pull(self) -> None:
        """Copy the remote files here, unless the files here continue them.

        Then a run here was killed before it could send everything.

        Raises:
            StudyError: the address cannot be read, another run writes here, or here and there lie
                records of different runs.
        """
        self._open()  # before a folder is made here
        try:
            lock = lock_folder(self.folder)
        except BlockingIOError:
            raise StudyError(
                f"{self.folder}, where {self.name} is worked on, is being written by another run; "
                "wait for it"
            ) from None
        except OSError as error:
            raise StudyError(
                f"{self.folder}, where {self.name} is worked on, cannot be written "
                f"({error.strerror})"
            ) from None
        try:
            self._copy_here()
        finally:
            lock.release()

    def _open(self) -> tuple[Any, str]:
        """The store, and the place in it.

        Raises:
            StudyError: there is no such store, or its package is not installed.
        """
        try:
            return fsspec.core.url_to_fs(self.url)
        except Exception as error:  # each store has errors of its own
            raise self._refusal("read", error) from None

    def _refusal(self, what: str, error: Exception) -> StudyError:
        """That the address cannot be read or written, and why."""
        return StudyError(
            f"--out must be a folder or an address that can be {what}; {self.name} cannot "
            f"({hide_passwords(str(error))})"
        )

    def _copy_here(self) -> None:
        """Copy the remote files here; the folder is locked.

        Raises:
            StudyError: the address cannot be read, or here and there lie records of different runs.
        """
        try:
            store, root = self._open()
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / "records.jsonl"
            mine = path.read_bytes() if path.exists() else b""
            theirs = (
                store.cat_file(f"{root}/records.jsonl")
                if store.exists(f"{root}/records.jsonl")
                else b""
            )
            if mine and mine != theirs and mine.startswith(theirs):
                return
            if not theirs.startswith(mine):
                raise StudyError(
                    f"{self.name} and {self.folder}, where it is worked on, hold different "
                    "records; move the folder away, or use it with --out"
                )
            for name in FILES:
                if store.exists(f"{root}/{name}"):
                    store.get_file(f"{root}/{name}", str(self.folder / name))
        except StudyError:
            raise
        except Exception as error:  # each store has errors of its own
            raise self._refusal("read", error) from None

    def push(self, names: tuple[str, ...] = FILES) -> None:
        """Send the files as they are now.

        Raises:
            StudyError: the address cannot be written.
        """
        try:
            store, root = fsspec.core.url_to_fs(self.url)
            store.makedirs(root, exist_ok=True)
            for name in names:
                if (self.folder / name).exists():
                    store.pipe_file(f"{root}/{name}", (self.folder / name).read_bytes())
        except Exception as error:
            raise self._refusal("written", error) from None
