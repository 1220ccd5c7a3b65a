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

from study.design.functions.files import LocalFile, names_used, whole_texts

PLAIN = (int, float, complex, str, bytes, bool, type(None))


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
        self.module = module_of(innermost(function))
        file = getattr(self.module, "__file__", None)
        self.home = LocalFile(Path(file), self.module.__name__) if self.module and file else None
        self.add(function)

    def add(self, value: Any) -> None:
        """Add a value and what it is made of."""
        if (text := constant_text(value)) is not None:
            self.texts.add(text)
            return
        if id(value) in self.seen:
            return
        self.seen[id(value)] = value
        for part in parts_of(value):
            self.add(part)
        if isinstance(value, types.ModuleType):
            self.add_file(value)
        elif isinstance(value, types.FunctionType | type):
            self.add_code(value)
        elif module_of(type(value)) is self.module:
            self.add(type(value))
            self.add(vars(value) if hasattr(value, "__dict__") else None)

    def add_code(self, thing: types.FunctionType | type) -> None:
        """Add a function or class: its own statements, its local file, or its name."""
        module = module_of(thing)
        if module is not self.module:
            self.texts.add(f"{thing.__module__}.{thing.__qualname__}")
            self.add_file(module)
        elif self.home is not None:
            self.add_reached(self.home, thing)
        else:
            self.add_live(thing)

    def add_file(self, module: types.ModuleType | None) -> None:
        """Add the whole file of a module, if it is local."""
        file = getattr(module, "__file__", None)
        if module is None or file is None:
            return
        found = LocalFile(Path(file), module.__name__)
        root = self.home.root if self.home else Path.cwd()
        if found.root == root and found.is_local(self.home.top if self.home else ""):
            self.texts |= whole_texts([found])

    def add_reached(self, home: LocalFile, thing: types.FunctionType | type) -> None:
        """Add the statements of the own file that a function or class reaches."""
        code = getattr(thing, "__code__", None)
        name = (code.co_qualname if code else thing.__qualname__).partition(".")[0]
        texts, names = home.reached(name, code.co_firstlineno if code else 0)
        self.texts |= texts
        for name in names:
            value = vars(self.module).get(name)
            is_path = isinstance(value, str) and os.path.isabs(value)  # another one elsewhere
            text = None if is_path else constant_text(value)
            self.texts.add(f"{name} = {text}")

    def add_live(self, thing: types.FunctionType | type) -> None:
        """Add a function or class of a notebook, and what it uses of the notebook's variables."""
        code = getattr(thing, "__code__", None)
        with suppress(OSError, TypeError, SyntaxError):
            tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
            self.texts.add(ast.unparse(tree))
            names = set(names_used(tree))
            self.add_globals(names)
            return
        if code is not None:
            self.texts.add(code_text(code))
            self.add_globals(set(names_in(code)))
        else:
            self.add(dict(vars(thing)))

    def add_globals(self, names: set[str]) -> None:
        """Add variables of the notebook by name."""
        for name in sorted(names & vars(self.module).keys()):
            value = vars(self.module)[name]
            if (text := constant_text(value)) is not None:
                self.texts.add(f"{name} = {text}")
            else:
                self.add(value)


def parts_of(value: Any) -> Iterator[Any]:
    """What a value is made of: a function's closure and defaults, a container's elements."""
    if isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, types.MethodType):
        yield from (value.__self__, value.__func__)
    elif isinstance(value, property):
        yield from (value.fget, value.fset)
    elif isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif isinstance(value, types.FunctionType):
        yield from (value.__defaults__, value.__kwdefaults__)
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # not filled yet
                yield cell.cell_contents
    elif isinstance(value, dict | types.MappingProxyType):
        for key, element in value.items():
            if not (isinstance(key, str) and key.startswith("__") and isinstance(element, PLAIN)):
                yield from (key, element)
    elif isinstance(value, tuple | list | set | frozenset):
        yield from value
    if not isinstance(value, type) and hasattr(value, "__wrapped__"):
        yield value.__wrapped__


def innermost(function: Callable[..., Any]) -> Any:
    """The function or class behind partials, methods, decorators and callable objects."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            break
    return function if inspect.isroutine(function) or isinstance(function, type) else type(function)


def module_of(thing: Any) -> types.ModuleType | None:
    """The module in which a function or class was written."""
    return sys.modules.get(getattr(thing, "__module__", None) or "")


def constant_text(value: Any) -> str | None:
    """A constant as text, the same in every process; None of anything else."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(getattr(value, "nbytes", None), int) and callable(getattr(value, "tobytes", 0)):
        return f"array({value.dtype}, {value.shape}, {hashlib.sha256(value.tobytes()).hexdigest()})"
    if not isinstance(value, tuple | list | set | frozenset | dict):
        return None
    parts = [x for pair in value.items() for x in pair] if isinstance(value, dict) else list(value)
    texts = [constant_text(part) for part in parts]
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
