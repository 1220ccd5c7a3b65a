"""Code of one's own, named `module:object`: found, hashed, packed for other processes, imported.

What a run was made with is a part of its identity, so changed code is another run.
"""

import hashlib
import importlib
import importlib.util
import os
import re
import sys
import zipfile
import zipimport
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moco.config import Config

TIMM = "timm:"  # begins the name of a model of timm
NAME = r"[^\W\d][\w.]*:[^\W\d][\w.]*"  # module:object
MOST_FILES = 2000  # of a package that is hashed and packed whole
OLDEST = (1980, 1, 1, 0, 0, 0)  # time of every file in an archive: the same code, the same bytes


def is_own(name: str) -> bool:
    """Whether a name is that of an object in a module, `module:object`, and not one of timm's."""
    return re.fullmatch(NAME, name) is not None and not name.startswith(TIMM)


def own_names(config: Config) -> list[str]:
    """What a config names of one's own."""
    return [name for name in (config.optimizer, config.encoder) if is_own(name)]


def import_named(name: str) -> Any:
    """The object of a name, as `my_package.optim:Mine`; modules in the working folder are found.

    Raises:
        ValueError: the module cannot be imported, or has no such object.
    """
    module_name, _, path = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    found = call_own(
        f"{name} must name an object in a module of Python, as my_package.my_module:Mine; the "
        "module cannot be imported",
        importlib.import_module,
        module_name,
    )
    for part in path.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{name} must name an object of {module_name}; it has no {part!r}")
        found = getattr(found, part)
    return found


def call_own(problem: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What code of one's own returns.

    Args:
        problem: a sentence on what cannot be; what the code raised follows in brackets.

    Raises:
        ValueError: it raises anything but an interrupt, an exit too.
    """
    try:
        return function(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0]}".removesuffix(": ")
        raise ValueError(f"{problem} ({reason})") from None


def read_sources(names: Sequence[str]) -> dict[str, bytes]:
    """The source files behind names, by their path in the folder that Python finds them in.

    Of a module in a package those of the whole package.

    Raises:
        ValueError: a module is not there, is no Python source, or its package is very large.
    """
    sources: dict[str, bytes] = {}
    for name in names:
        import_named(name)
        top = sys.modules[top_module(name)]
        if isinstance(top.__loader__, zipimport.zipimporter):  # packed, see `pack_sources`
            sources |= packed_sources(top.__loader__.archive, top.__name__)
            continue
        file = Path(getattr(top, "__file__", None) or "")
        if file.suffix != ".py" or not file.is_file():
            raise ValueError(f"{name} must be written in Python files; {top.__name__} is in {file}")
        is_package = file.name == "__init__.py"
        files = sorted(file.parent.rglob("*.py")) if is_package else [file]
        if len(files) > MOST_FILES:
            raise ValueError(
                f"{name} must lie in a package of at most {MOST_FILES:,} files; {top.__name__} has "
                f"{len(files):,}"
            )
        root = file.parent.parent if is_package else file.parent
        sources |= {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
    return sources


def top_module(name: str) -> str:
    """The module or package in which the object of a name lies, at the top."""
    return name.partition(":")[0].partition(".")[0]


def packed_sources(archive: str | Path, top: str) -> dict[str, bytes]:
    """The files of one module or package in an archive, by their path there."""
    with zipfile.ZipFile(archive) as file:
        names = [name for name in file.namelist() if name.split("/")[0] in (top, f"{top}.py")]
        return {name: file.read(name) for name in names}


def hash_sources(sources: Mapping[str, bytes]) -> str:
    """SHA-256 of the files' names and content; empty without files."""
    if not sources:
        return ""
    digest = hashlib.sha256()
    for name, content in sorted(sources.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def code_key(sha256: str) -> str:
    """A short name of packed code that is valid as the name of a keyword argument."""
    return f"code_{sha256[:12]}"


def pack_sources(sources: Mapping[str, bytes], data_dir: Path) -> Path:
    """The files as an archive that Python imports from, in data_dir / "code"."""
    archive = data_dir / "code" / f"{hash_sources(sources)}.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)
    draft = archive.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(draft, "w") as file:
        for name, content in sorted(sources.items()):
            file.writestr(zipfile.ZipInfo(name, OLDEST), content)
    draft.replace(archive)
    return archive


def use_own_code(config: Config, files: Mapping[str, Path]) -> None:
    """Let this process import the code that a config names, from its archive.

    Args:
        files: archives by `code_key`.

    Raises:
        ValueError: the archive holds other code, or the process has imported other code before.
    """
    if not own_names(config) or not config.code_sha256:
        return
    if archive := files.get(code_key(config.code_sha256)):
        with zipfile.ZipFile(archive) as file:
            sources = {name: file.read(name) for name in file.namelist()}
        if hash_sources(sources) != config.code_sha256:
            raise ValueError(f"{archive} must hold the code of the trial; it was changed")
        # a process that has run another trial may have some of the modules from its archive
        if {top_module(name) for name in own_names(config)} - set(sys.modules):
            sys.path.insert(0, str(archive))
            importlib.invalidate_caches()
    if hash_sources(read_sources(own_names(config))) != config.code_sha256:
        raise ValueError(
            f"{' and '.join(own_names(config))} must be the code with which the trial was planned, "
            f"SHA-256 {config.code_sha256[:12]}…; it is another here"
        )
