"""The source of a training function: changed code is another trial."""

import ast
import functools
import hashlib
import inspect
import os
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from study.design.functions.files import LocalFile, installed, names_used, whole_texts

PLAIN = (int, float, complex, str, bytes, bool, type(None))
CONTAINERS = (tuple, list, set, frozenset, dict, types.MappingProxyType)
WRAPPERS = (functools.partial, types.MethodType, staticmethod, classmethod)
LARGE = 10**4000
MOST_DEPTH = 50  # of constants in constants
MOST_PARTS = 1000  # of a callable that are looked through for the user's own function


def source_sha256(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's source and of the local code that it uses.

    Of the function's own file count the statements that it reaches by name, so that the arms of a
    space may change beside it; of other local files, which lie beside it or in its package, all of
    it. Of installed packages nothing is read; their versions stand in the provenance. Values that
    it closes over, and constants that its file computes, count as they are when this is called.
    """
    source = Source(function)
    return hashlib.sha256("\n".join(sorted(source.texts)).encode()).hexdigest()


class Source:
    """The texts of a function's source, in no order."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.texts: set[str] = set()
        self.seen: dict[int, Any] = {}  # the values too, so that no id is given twice
        self.globals = globals_of(own_function(function))
        file, name = self.globals.get("__file__"), self.globals.get("__name__", "")
        is_own = name.partition(".")[0] not in sys.stdlib_module_names
        self.home = LocalFile(Path(file), name) if file and is_own else None
        self.add(function, "")

    def add(self, value: Any, label: str) -> None:
        """Add a value and what it is made of.

        Args:
            label: what the value is of what was added before, as the name of a variable.
        """
        if (text := constant_text(value)) is not None:
            self.texts.add(f"{label} = {text}")
            return
        if id(value) in self.seen:
            return
        self.seen[id(value)] = value
        for name, part in parts_of(value):
            self.add(part, f"{label}.{name}")
        if isinstance(value, types.ModuleType):
            self.add_file(vars(value))
        elif isinstance(value, types.FunctionType | type):
            self.add_code(value)
        elif not isinstance(value, CONTAINERS):
            self.add_object(value, label)

    def add_object(self, value: Any, label: str) -> None:
        """Add any other object: by its words, else by its class and attributes where it is own."""
        with suppress(Exception):
            if " at 0x" not in (words := repr(value)):
                self.texts.add(f"{label} = {words}")
        if globals_of(type(value)) is self.globals:
            self.add(type(value), label)
            self.add(attributes_of(value), label)

    def add_code(self, thing: types.FunctionType | type) -> None:
        """Add a function or class: its own statements, its local file, or its name."""
        if globals_of(thing) is not self.globals:
            self.texts.add(f"{thing.__module__}.{thing.__qualname__}")
            self.add_file(globals_of(thing))
        elif self.home is not None:
            self.add_reached(self.home, thing)
        else:
            self.add_live(thing)

    def add_file(self, variables: dict[str, Any]) -> None:
        """Add the whole file of a module, given its variables, if it is local."""
        file, name = variables.get("__file__"), variables.get("__name__", "")
        if not file:
            return
        found = LocalFile(Path(file), name)
        root = self.home.root if self.home else Path.cwd()
        if found.root == root and found.is_local(self.home.top if self.home else ""):
            self.texts |= whole_texts([found])

    def add_reached(self, home: LocalFile, thing: types.FunctionType | type) -> None:
        """Add the statements of the own file that a function or class reaches."""
        code = getattr(thing, "__code__", None)
        if code is not None and Path(code.co_filename).resolve() != home.path.resolve():
            self.add_live(thing)  # made by exec
            return
        name = (code.co_qualname if code else thing.__qualname__).partition(".")[0]
        texts, names = home.reached(name, code.co_firstlineno if code else 0)
        self.texts |= texts
        for name in sorted(names):
            value = self.globals.get(name)
            is_path = isinstance(value, str) and os.path.isabs(value)  # another one elsewhere
            if not is_path and (isinstance(value, CONTAINERS) or constant_text(value) is not None):
                self.add(value, name)

    def add_live(self, thing: types.FunctionType | type) -> None:
        """Add a function or class without a file, and what it uses of the variables beside it."""
        code = getattr(thing, "__code__", None)
        tree = None
        with suppress(OSError, TypeError, SyntaxError):
            tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
        if tree is not None:
            self.texts.add(ast.unparse(tree))
            self.add_globals(set(names_used(tree)))
        elif code is not None:
            self.texts.add(code_text(code))
            self.add_globals(set(names_in(code)))
        else:
            self.add(dict(vars(thing)), thing.__qualname__)

    def add_globals(self, names: set[str]) -> None:
        """Add variables by name."""
        for name in sorted(names & self.globals.keys()):
            self.add(self.globals[name], name)


def parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value is made of: a function's closure and defaults, a container's elements.

    Each with its name or place in the value.
    """
    if isinstance(value, functools.partial):
        yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))
    elif isinstance(value, types.MethodType):
        yield from (("self", value.__self__), ("func", value.__func__))
    elif isinstance(value, property):
        yield from (("get", value.fget), ("set", value.fset))
    elif isinstance(value, staticmethod | classmethod):
        yield "func", value.__func__
    elif isinstance(value, types.FunctionType):
        yield from (("defaults", value.__defaults__), ("kwdefaults", value.__kwdefaults__))
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            with suppress(ValueError):  # not filled yet
                yield name, cell.cell_contents
    elif isinstance(value, dict | types.MappingProxyType):
        for key, element in value.items():
            if not (isinstance(key, str) and key.startswith("__") and isinstance(element, PLAIN)):
                yield str(constant_text(key)), element
    elif isinstance(value, tuple | list):
        yield from ((str(i), element) for i, element in enumerate(value))
    elif isinstance(value, set | frozenset):
        yield from (("", element) for element in value)
    if wrapped := wrapped_in(value):
        yield "wrapped", wrapped


def wrapped_in(value: Any) -> Any:
    """The function that a decorator's result wraps, as functools.wraps notes it; None: none."""
    return None if isinstance(value, type) else vars_of(value).get("__wrapped__")


def own_function(function: Callable[..., Any]) -> Any:
    """The first function or class behind a callable that is of no installed package.

    Behind partials, methods, decorators and callable objects; else the first of all.
    """
    waiting, seen, first = [function], dict[int, Any](), None
    while waiting and len(seen) < MOST_PARTS:
        value = waiting.pop(0)
        if id(value) in seen:
            continue
        seen[id(value)] = value
        is_code = isinstance(value, types.FunctionType | type)
        thing = value if is_code else type(value)
        if is_code or (callable(value) and not isinstance(value, WRAPPERS)):
            first = first or thing
            if globals_of(thing).get("__name__", "").partition(".")[0] not in installed():
                return thing
        waiting += [part for _, part in parts_of(value)]
        waiting += [] if is_code else vars_of(value).values()
    return first or type(function)


def globals_of(thing: Any) -> dict[str, Any]:
    """The variables of the module in which a function or class was written."""
    if isinstance(thing, types.FunctionType):
        return thing.__globals__
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    return vars(module) if module else {}


def vars_of(value: Any) -> dict[str, Any]:
    """An object's own attributes; empty where it has no place for them."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def attributes_of(value: Any) -> dict[str, Any]:
    """An object's own attributes, those in slots too."""
    names = [name for base in type(value).__mro__ for name in slots_of(base)]
    missing = object()
    slots = {name: getattr(value, name, missing) for name in names}
    return {**{k: v for k, v in slots.items() if v is not missing}, **vars_of(value)}


def slots_of(kind: type) -> list[str]:
    """The names of a class's slots."""
    slots = vars(kind).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def constant_text(value: Any, depth: int = 0) -> str | None:
    """A constant as text, the same in every process; None of anything else."""
    if isinstance(value, int) and abs(value) >= LARGE:  # Python writes no such number in decimals
        return hex(value)
    if isinstance(value, PLAIN):
        return repr(value)
    if callable(getattr(value, "tobytes", None)) and hasattr(value, "dtype"):  # of numpy
        if value.dtype.hasobject:
            return constant_text(value.tolist(), depth + 1)
        return f"array({value.dtype}, {value.shape}, {hashlib.sha256(value.tobytes()).hexdigest()})"
    if not isinstance(value, tuple | list | set | frozenset | dict) or depth > MOST_DEPTH:
        return None
    parts = [x for pair in value.items() for x in pair] if isinstance(value, dict) else list(value)
    texts = [constant_text(part, depth + 1) for part in parts]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return None
    ordered = sorted(known) if isinstance(value, set | frozenset) else known
    return f"{type(value).__name__}({', '.join(ordered)})"


def code_text(code: types.CodeType) -> str:
    """Byte code, its names and its constants, where no file has the source."""
    constants = [
        code_text(value) if isinstance(value, types.CodeType) else constant_text(value)
        for value in code.co_consts
    ]
    return repr((code.co_code, code.co_names, constants))


def names_in(code: types.CodeType) -> Iterator[str]:
    """The global names in a piece of code and the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)
