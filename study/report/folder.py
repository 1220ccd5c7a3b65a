"""A study's folder, read: its file, the results of its records, and whether they are as written."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from study.analysis.results import Results
from study.search.quasi_random import sobol_points
from study.store.chain import Chain, check_chain, tamper_lines
from study.store.ledger import read_records
from study.store.study_file import StudyFile, read_study


@dataclass(frozen=True)
class StudyFolder:
    """What a folder holds of a study."""

    path: Path
    file: StudyFile
    results: Results

    @property
    def name(self) -> str:
        """That of the folder."""
        return self.path.name

    @cached_property
    def chain(self) -> Chain:
        """What the chain of its records says."""
        return check_chain(self.results.records, self.file.plans)

    @cached_property
    def changes(self) -> list[str]:
        """Sentences: what of plan and records was changed after it was written."""
        return tamper_lines(self.file, self.chain)

    def first(self, count: int) -> "StudyFolder":
        """The study as it was after so many records."""
        records = self.results.records[:count]
        return StudyFolder(self.path, self.file, Results(self.file.plan, records))


def read_folder(path: Path) -> StudyFolder:
    """The study of a folder.

    Raises:
        StudyError: it holds none, or its records are damaged.
    """
    file = read_study(path, sobol_points)
    return StudyFolder(path, file, Results(file.plan, read_records(path)))
