"""The source of a training function: changed code is another trial."""

import functools
import hashlib
import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

PLAIN = (int, float, complex, str, bytes, bool, type(None))


def source_sha256(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's source and of what it uses of its own module and those beside it.

    What else the module holds, as the arms of a space, may change without changing it. Of other
    packages nothing is read; their versions stand in the provenance.
    """
    sources: list[str] = []
    seen: set[int] = set()
    waiting: list[Any] = [function]
    home = home_of(unwrapped(function))
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, functools.partial):
            sources.append(f"partial{constant_text((thing.args, thing.keywords))}")
        thing = unwrapped(thing)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, types.ModuleType):
            sources.append(module_source(thing))
            continue
        sources.append(own_source(thing))
        for name, value in used_values(thing):
            if (text := constant_text(value)) is not None:
                sources.append(f"{name} = {text}")
            elif home is not None and home_of(unwrapped(value)) == home:
                waiting.append(value)
    return hashlib.sha256("\n".join(sorted(sources)).encode()).hexdigest()


def unwrapped(thing: Any) -> Any:
    """The function behind a partial, a method or a decorator; the class of another callable."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    thing = inspect.unwrap(thing) if callable(thing) else thing
    thing = getattr(thing, "__func__", thing)
    is_code = isinstance(thing, type | types.ModuleType) or inspect.isroutine(thing)
    return type(thing) if callable(thing) and not is_code else thing


def constant_text(value: Any) -> str | None:
    """A constant as text, the same in every process; None of anything else."""
    if isinstance(value, PLAIN):
        return repr(value)
    if not isinstance(value, tuple | list | set | frozenset | dict):
        return None
    parts = [x for pair in value.items() for x in pair] if isinstance(value, dict) else list(value)
    texts = [constant_text(part) for part in parts]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return None
    ordered = sorted(known) if isinstance(value, set | frozenset) else known
    return f"{type(value).__name__}({', '.join(ordered)})"


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
    if code is not None:
        return repr((code.co_code, code.co_names))
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"


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
