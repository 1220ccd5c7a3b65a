"""A search space of one's own: the SPACE of any Python file, or an object of a module."""

import importlib
import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from study.design.functions.files import installed
from study.design.space import Space
from study.errors import StudyError, first_line
from study.options import Options
from study.typed import clip


def load_own_space(name: str) -> Space:
    """The space of `file.py`, its SPACE, or of `module:object`.

    Raises:
        StudyError: it is neither, cannot be imported, or holds no space.
    """
    if ":" in name and not name.endswith(".py"):
        return load_space_object(name)
    return load_space_file(Path(name))


def with_own_code(options: Options, name: str) -> Options:
    """The options with the code that other processes need for such a space, once it is loaded.

    Args:
        name: as `load_own_space` takes it.
    """
    top = Path(name).stem if name.endswith(".py") else name.partition(":")[0].partition(".")[0]
    modules, packages = code_beside(top)
    return replace(options, modules=modules, code=(*options.code, *packages))


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
    search_first(path.resolve().parent)
    places = list(sys.path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
        share_places([place for place in sys.path if place not in places])
        return checked_space(str(path), getattr(module, "SPACE", None))
    except StudyError:
        del sys.modules[path.stem]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[path.stem]
        raise StudyError(
            f"{path} must be importable; it is not ({type(error).__name__}: {first_line(error)})"
        ) from error


def load_space_object(name: str) -> Space:
    """The space of a name `module:object`; modules in the working folder are found.

    Raises:
        StudyError: the module cannot be imported, or the object is no space.
    """
    module_name, _, path = name.partition(":")
    if not (module_name and path):
        raise StudyError(
            f"--space must name an object in a module, as my_package.questions:SPACE; got {name!r}"
        )
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        raise StudyError(
            f"--space {name} must name an object in a module, as my_package.questions:SPACE; it "
            f"cannot be imported ({type(error).__name__}: {error})"
        ) from error
    return checked_space(name, found)


def code_beside(top: str) -> tuple[tuple[str, ...], tuple[Path, ...]]:
    """A module, or package, and what was imported from the folder in which it lies.

    An installed package stands alone; what it needs is installed too.

    Returns:
        The plain modules' names, for they are sent by value, and the packages' folders.
    """
    folder = place_of(sys.modules[top])
    beside = {top: sys.modules[top]} if folder else {}
    if folder and top not in installed():
        beside |= {
            name: module
            for name, module in sys.modules.items()
            if "." not in name and name != "__main__" and place_of(module) == folder
        }
    packages = [module.__path__ for module in beside.values() if hasattr(module, "__path__")]
    return (
        tuple(name for name, module in beside.items() if not hasattr(module, "__path__")),
        tuple(Path(next(iter(places))).resolve() for places in packages),
    )


def packages_of(space: Space) -> tuple[Path, ...]:
    """The packages that a cluster's nodes need for a space: this one, and its trainer's."""
    names = ("study", type(space.trainer).__module__.partition(".")[0])
    modules = [sys.modules[name] for name in dict.fromkeys(names)]
    return tuple(
        Path(next(iter(module.__path__))).resolve()
        for module in modules
        if hasattr(module, "__path__")
    )


def place_of(module: ModuleType) -> Path | None:
    """The folder from which a top module was imported; None: from no folder."""
    if hasattr(module, "__path__"):
        return Path(next(iter(module.__path__))).resolve().parent
    file = getattr(module, "__file__", None)
    return Path(file).resolve().parent if file else None


def search_first(folder: Path) -> None:
    """Find modules in a folder before all others, here and in processes that are started."""
    sys.path.insert(0, str(folder))
    share_places([str(folder)])


def share_places(places: list[str]) -> None:
    """Find modules in further folders, as a space's file adds, in processes that are started."""
    further = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (*places, further)))


def checked_space(place: str, space: object) -> Space:
    """An object that must be a space.

    Args:
        place: where it was found, for people.

    Raises:
        StudyError: it is none, or has no trainer.
    """
    if not isinstance(space, Space):
        raise StudyError(
            f"{place} must hold a SPACE, a study.design.space.Space; got {clip(space)}"
        )
    if not hasattr(space.trainer, "prepare"):
        raise StudyError(
            f"the trainer of {place} must be a Trainer; got {clip(space.trainer)}. Of a plain "
            "function, study.from_function makes one"
        )
    return space


def is_taken(path: Path) -> bool:
    """Whether another module has the file's name."""
    loaded = sys.modules.get(path.stem)
    spec = getattr(loaded, "__spec__", None) if loaded else importlib.util.find_spec(path.stem)
    origin = spec.origin if spec else getattr(loaded, "__file__", None)
    return origin is not None and Path(origin).resolve() != path.resolve()
