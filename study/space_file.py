"""A search space of one's own: the SPACE of any Python file."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from study.design.space import Space
from study.errors import StudyError


def load_space_file(path: Path) -> Space:
    """The SPACE of a Python file; processes that it starts can import the file as a module.

    Raises:
        StudyError: there is no such file, it cannot be imported, or holds no SPACE.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise StudyError(f"--space must name a Python file that holds a SPACE; {path} is no file")
    if path.stem in sys.stdlib_module_names or is_taken(path):
        raise StudyError(
            f"{path} must have a name that no other module has; {path.stem} is one. Rename the file"
        )
    sys.path.insert(0, str(path.resolve().parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
        return checked_space(path, module)
    except StudyError:
        del sys.modules[path.stem]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[path.stem]
        raise StudyError(f"{path} must be importable; it is not ({error!r})") from error


def checked_space(path: Path, module: ModuleType) -> Space:
    """The SPACE of a file's module.

    Raises:
        StudyError: it has none, or one without a trainer.
    """
    space = getattr(module, "SPACE", None)
    if not isinstance(space, Space):
        raise StudyError(f"{path} must hold a SPACE, a study.design.space.Space; got {space!r}")
    if not hasattr(space.trainer, "prepare"):
        raise StudyError(
            f"the trainer of {path} must be a Trainer; got {space.trainer!r}. Of a plain function, "
            "study.from_function makes one"
        )
    return space


def is_taken(path: Path) -> bool:
    """Whether another module has the file's name."""
    loaded = sys.modules.get(path.stem)
    spec = getattr(loaded, "__spec__", None) if loaded else importlib.util.find_spec(path.stem)
    origin = spec.origin if spec else getattr(loaded, "__file__", None)
    return origin is not None and Path(origin).resolve() != path.resolve()
