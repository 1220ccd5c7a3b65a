"""The image files below a folder: which can be read, and which are skipped and why."""

from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from PIL import Image

# by ending what a file is, and thereby all that files are opened as, whatever their ending:
# some of Pillow's other formats start programs
FORMATS = {
    ".png": "PNG", ".apng": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG",
    ".mpo": "MPO", ".bmp": "BMP", ".dib": "DIB", ".gif": "GIF", ".webp": "WEBP", ".tif": "TIFF",
    ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM", ".pbm": "PPM", ".pnm": "PPM", ".tga": "TGA",
    ".jp2": "JPEG2000", ".j2k": "JPEG2000", ".avif": "AVIF", ".heic": "HEIF", ".heif": "HEIF",
}  # fmt: skip
PLUGINS = {"HEIF": "pillow-heif", "AVIF": "pillow-avif-plugin"}  # packages, where Pillow lacks them
HIDDEN, BROKEN, ENDING, CLOSED = (
    "hidden",
    "links to nothing",
    "without an image's ending",
    "folders that cannot be opened",
)


class Skipped(NamedTuple):
    """Files that were skipped for one reason."""

    files: int  # how many
    first: str  # the path of one below the folder


class Scan(NamedTuple):
    """What lies below a folder."""

    files: list[Path]  # images, sorted
    skipped: dict[str, Skipped]  # by reason


class _Walk:
    """One walk through a folder: what it finds, and what it passes by."""

    def __init__(self, root: Path, ignored: Iterable[str]) -> None:
        self.root, self.ignored = root, set(ignored)
        self.files: list[Path] = []
        self.skipped: dict[str, list[Path]] = {}

    def skip(self, reason: str, path: Path) -> None:
        self.skipped.setdefault(reason, []).append(path)

    def enter(self, folder: Path) -> None:
        """Take what a folder holds, in the order of names; links to folders are followed."""
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            self.skip(CLOSED, folder)
            return
        for path in entries:
            if folder == self.root and path.name.lower() in self.ignored:
                continue
            if path.name.startswith("."):
                self.skip(HIDDEN, path)
            elif path.is_dir():
                if not is_circular(path):
                    self.enter(path)
            elif not path.exists():
                self.skip(BROKEN, path)
            elif path.suffix.lower() in FORMATS:
                self.files.append(path)
            else:
                self.skip(ENDING, path)


def scan(root: Path, ignored: Iterable[str] = ()) -> Scan:
    """The image files below a folder, sorted, and what else lies there.

    Hidden files and folders are no data.

    Args:
        ignored: names, in lower case, of files and folders right in it that are passed by.
    """
    walk = _Walk(root, ignored)
    walk.enter(root)
    skipped = {
        reason: Skipped(len(paths), paths[0].relative_to(root).as_posix())
        for reason, paths in walk.skipped.items()
    }
    return Scan(sorted(walk.files), skipped)


def is_circular(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def add_skipped(parts: Iterable[tuple[str, dict[str, Skipped]]]) -> dict[str, Skipped]:
    """What was skipped in several folders together; each comes with its name, a path or empty."""
    total: dict[str, Skipped] = {}
    for name, skipped in parts:
        for reason, (files, first) in skipped.items():
            before = total.get(reason, Skipped(0, f"{name}/{first}" if name else first))
            total[reason] = Skipped(before.files + files, before.first)
    return total


def readable_formats() -> list[str]:
    """The formats that files are opened as on this machine, by Pillow's names."""
    with suppress(ImportError):
        import_module("pillow_heif").register_heif_opener()
    Image.init()
    return sorted({kind for kind in FORMATS.values() if kind in Image.OPEN})


def missing_plugin(path: Path) -> str:
    """The package without which Pillow cannot open such a file here; empty where it can."""
    kind = FORMATS.get(path.suffix.lower(), "")
    return "" if kind in readable_formats() else PLUGINS.get(kind, "")
