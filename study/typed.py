"""Values that were read from a file, checked against the types that the code names."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from study.errors import why

# no part of a file: a trainer, and functions that a space or a plan has in memory alone
UNREAD = ("trainer", "own_arm", "propose")
SHOWN = 60  # characters of a wrong value that a sentence shows


class WrongTypeError(TypeError):
    """A value of a file is of another type than it must be; the message names it in words."""


@cache
def field_adapters(kind: Any) -> dict[str, Any]:
    """How each field of a dataclass is checked: by pydantic, or as an instance of a dataclass."""
    hints = get_type_hints(kind)
    kinds = {one.name: hints[one.name] for one in fields(kind) if one.name not in UNREAD}
    return {
        name: hint if is_dataclass(hint) else make_adapter(hint) for name, hint in kinds.items()
    }


def make_adapter(hint: Any) -> TypeAdapter[Any]:
    """Pydantic's check of a type, which converts nothing."""
    return TypeAdapter(hint, config=ConfigDict(strict=True, arbitrary_types_allowed=True))


def check_fields(value: Any, place: str) -> None:
    """Check every field of a dataclass, and of the dataclasses within, against its annotation.

    Args:
        place: what the value is called in the file, as "plan".

    Raises:
        WrongTypeError: one is of another type; the message says where, what it must be, what it is.
    """
    check_own_fields(value, place)
    kind: Any = type(value)
    for name in field_adapters(kind):
        for part, nested in nested_dataclasses(getattr(value, name)):
            check_fields(nested, f"{place}.{name}{part}")


def check_own_fields(value: Any, place: str) -> None:
    """Check the fields of a dataclass, but not those of dataclasses within.

    Raises:
        WrongTypeError: as `check_fields`.
    """
    kind: Any = type(value)
    for name, adapter in field_adapters(kind).items():
        inner, where = getattr(value, name), f"{place}.{name}" if place else name
        if not isinstance(adapter, type):
            check_value(inner, adapter, where)
        elif not isinstance(inner, adapter):
            raise WrongTypeError(f"{where} must be an object; got {clip(inner)}")


def check_value(value: Any, adapter: TypeAdapter[Any], place: str) -> None:
    """Check one value.

    Raises:
        WrongTypeError: it is of another type.
    """
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (place, *first["loc"]))
        what = first["msg"].removeprefix("Input should be ")
        raise WrongTypeError(f"{where} must be {what}; got {clip(first['input'])}") from None


def nested_dataclasses(value: Any, part: str = "") -> Iterator[tuple[str, Any]]:
    """The dataclasses that a value is or holds, each with its place within it."""
    if is_dataclass(value) and not isinstance(value, type):
        yield part, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from nested_dataclasses(inner, f"{part}.{key}")
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from nested_dataclasses(inner, f"{part}.{i}")


def why_unread(error: Exception) -> str:
    """What is wrong with what a file holds, in words."""
    match error:
        case json.JSONDecodeError():
            what = error.msg.lower().removesuffix(" at")
            return f"no JSON: {what} at character {error.pos}"
        case UnicodeError():
            return "no text in UTF-8"
        case RecursionError():
            return "nested too deeply"
        case KeyError():
            return f"it has no {error.args[0]!r}"
        case OverflowError():
            return "a number is too large"
        case WrongTypeError():
            return str(error)
        case OSError():
            return why(error)
        case TypeError() | AttributeError() | LookupError():  # in the words of Python
            return "a part of it has another form than it must have"
    return str(error).removesuffix(".")


def clip(value: Any) -> str:
    """A value in so many characters at most."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def check_text(text: str | bytes, value: Any) -> None:
    """Check that all texts of the JSON value that a text holds can be written again.

    Raises:
        UnicodeError: one holds half of a letter, which only an escape of it can have brought.
    """
    if b"\\ud" in (text.encode() if isinstance(text, str) else text).lower():
        json.dumps(value, ensure_ascii=False).encode()
