"""The source of a training function: changed code is another trial."""

import hashlib
import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

CONSTANTS = (int, float, complex, str, bytes, bool, tuple, frozenset, type(None))


def source_sha256(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's source and of what it uses of its own module and those beside it.

    What else the module holds, as the arms of a space, may change without changing it. Of other
    packages nothing is read; their versions stand in the provenance.
    """
    home, sources, seen = home_of(function), list[str](), set[int]()
    waiting: list[Any] = [inspect.unwrap(function)]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, types.ModuleType):
            sources.append(module_source(thing))
            continue
        sources.append(own_source(thing))
        for name, value in used_values(thing):
            if isinstance(value, CONSTANTS):
                sources.append(f"{name} = {value!r}")
            elif home_of(value) == home and home is not None:
                waiting.append(inspect.unwrap(value) if callable(value) else value)
    return hashlib.sha256("\n".join(sorted(sources)).encode()).hexdigest()


def home_of(thing: Any) -> Path | None:
    """The folder of the plain module in which a function, class or module was written.

    Modules of one package have the package's folder as their home. None: it is none of these, or
    was not written in a file.
    """
    name = thing.__name__ if isinstance(thing, types.ModuleType) else None
    if name is None and (isinstance(thing, type) or inspect.isroutine(thing)):
        name = getattr(thing, "__module__", None)
    if name is None:
        return None
    module = thing if isinstance(thing, types.ModuleType) else inspect.getmodule(thing)
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    depth = name.count(".") + (Path(file).name == "__init__.py")
    folder = Path(file).resolve().parent
    return folder if depth == 0 else folder.parents[depth - 1] / name.partition(".")[0]


def module_source(module: types.ModuleType) -> str:
    """The whole source of a module; empty where it has none."""
    with suppress(OSError, TypeError):
        return inspect.getsource(module)
    return ""


def own_source(thing: Any) -> str:
    """The source of a function or class, or its byte code where no file has it."""
    with suppress(OSError, TypeError):
        return inspect.getsource(thing)
    code = getattr(thing, "__code__", None)
    return repr((code.co_code, code.co_names)) if code else repr(thing)


def used_values(thing: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of the global variables and closures that a function's or class's code uses.

    Of a class also its bases.
    """
    if isinstance(thing, type):
        yield from ((base.__name__, base) for base in thing.__bases__)
        for member in vars(thing).values():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(function, types.FunctionType):
                yield from used_values(function)
        return
    if not isinstance(thing, types.FunctionType):
        return
    names = set(names_in(thing.__code__))
    yield from ((name, thing.__globals__[name]) for name in names if name in thing.__globals__)
    for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
        with suppress(ValueError):  # not filled yet
            yield name, cell.cell_contents


def names_in(code: types.CodeType) -> Iterator[str]:
    """The global names in a piece of code and the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)
