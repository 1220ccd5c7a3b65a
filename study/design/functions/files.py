"""The statements of a Python file that a name reaches, and the local files that it imports."""

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class LocalFile:
    """A Python file and the name of its module."""

    path: Path
    module: str

    @property
    def top(self) -> str:
        """The first part of the module's name: its package, or itself."""
        return self.module.partition(".")[0]

    @property
    def root(self) -> Path:
        """The folder from which the module is imported."""
        path = self.path.resolve()
        depth = self.module.count(".") + (path.name == "__init__.py")
        return path.parents[depth]

    @property
    def package(self) -> Path:
        """The folder to which one dot of a relative import points."""
        return self.path.resolve().parent

    def is_local(self, top: str) -> bool:
        """Whether it belongs to the package `top`, or to no distribution that is installed."""
        return self.top == top or self.top not in installed()

    def reached(self, name: str, line: int = 0) -> tuple[set[str], set[str]]:
        """The statements, and the names of the values, that a statement reaches by name.

        Args:
            name: one that the file binds.
            line: of the statement, where the file binds no such name, as of a lambda.
        """
        binding: dict[str, list[ast.stmt]] = {}  # the statements that bind a name
        statements = statements_of(self.path)
        for statement in statements:
            for bound in names_bound(statement):
                binding.setdefault(bound, []).append(statement)
        binding.setdefault(name, [one for one in statements if spans(one, line)])
        waiting, values = [name, STAR], set()
        seen, done = set(waiting), set[ast.stmt]()
        while waiting:
            for statement in binding.get(waiting.pop(), ()):
                if statement in done:
                    continue
                done.add(statement)
                if not isinstance(statement, (*SCOPES, ast.Import, ast.ImportFrom)):
                    values |= names_bound(statement)
                new = set(names_used(statement)) - seen
                seen |= new
                waiting += new
        imported = [file for statement in done for file in self.imports(statement)]
        return {ast.unparse(statement) for statement in done} | whole_texts(imported), values

    def imports(self, tree: ast.AST) -> Iterator["LocalFile"]:
        """The local files that the imports in a piece of code name."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self.find(self.root, alias.name.split("."))
            elif isinstance(node, ast.ImportFrom):
                parts = node.module.split(".") if node.module else []
                start = self.package.parents[node.level - 2] if node.level > 1 else self.package
                for alias in node.names:
                    folder = start if node.level else self.root
                    yield from self.find(folder, [*parts, alias.name])

    def find(self, folder: Path, parts: list[str]) -> Iterator["LocalFile"]:
        """The files of a module's name below a folder, those of its packages first."""
        for end in range(1, len(parts) + 1):
            place = folder.joinpath(*parts[:end])
            for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
                if path.is_file() and path.is_relative_to(self.root):
                    inside = path.relative_to(self.root).with_suffix("").parts
                    module = ".".join(part for part in inside if part != "__init__")
                    file = LocalFile(path, module)
                    if file.is_local(self.top):
                        yield file


def whole_texts(files: list[LocalFile]) -> set[str]:
    """The files as texts, and every local file that they import, wherever in them."""
    texts, waiting, seen = set(), list(files), {file.path.resolve() for file in files}
    while waiting:
        file = waiting.pop()
        tree = ast.Module(statements_of(file.path), [])
        texts.add(ast.unparse(tree))
        for found in file.imports(tree):
            if found.path not in seen:
                seen.add(found.path)
                waiting.append(found)
    return texts


STAR = "*"  # what `from module import *` binds


@functools.cache
def installed() -> frozenset[str]:
    """The packages and modules of the distributions that are installed, and Python's own."""
    return frozenset(packages_distributions()) | sys.stdlib_module_names


def statements_of(path: Path) -> list[ast.stmt]:
    """The statements of a file; none where it holds no Python."""
    try:
        return ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []


def spans(statement: ast.stmt, line: int) -> bool:
    """Whether a statement, with its decorators, holds a line."""
    first = min([statement.lineno, *(x.lineno for x in getattr(statement, "decorator_list", []))])
    return first <= line <= (statement.end_lineno or statement.lineno)


def names_bound(statement: ast.stmt) -> set[str]:
    """The global names that a statement gives a value, or whose value it changes."""
    if isinstance(statement, SCOPES):
        return {statement.name}
    if is_main_guard(statement):
        return set()
    if isinstance(statement, ast.Expr):  # TABLE.update(...)
        call = statement.value
        return {root_name(call.func)} - {""} if isinstance(call, ast.Call) else set()
    names = set()
    for node in walk_outside_functions(statement):
        if isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, SCOPES):
            names.add(node.name)
        elif isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            names.add(root_name(node))
    return names - {""}


def walk_outside_functions(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without those in the bodies of functions and classes."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*SCOPES, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def root_name(node: ast.AST) -> str:
    """The name at the left of an expression such as `table.rows[0]`; empty where there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def names_used(tree: ast.AST) -> Iterator[str]:
    """The names that a piece of code reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id


def is_main_guard(statement: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__"`."""
    return isinstance(statement, ast.If) and "__name__" in set(names_used(statement.test))
