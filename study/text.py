"""Words and numbers for people, used by every room."""

import os
import re


def join_words(names: list[str]) -> str:
    """A list in words."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def capitalize(words: str) -> str:
    """The words with their first letter large; a first word that has a capital stays as it is."""
    first = words.partition(" ")[0]
    return words if first != first.lower() else words[:1].upper() + words[1:]


def format_number(value: float, digits: int, signed: bool = False) -> str:
    """A number with a typographic minus; zero carries no sign, and 1e9 and more three digits."""
    text = f"{abs(value):.{digits}f}" if abs(value) < 1e9 else format_short(abs(value))
    is_zero = float(text) == 0
    sign = "" if is_zero else "−" if value < 0 else "+" if signed else ""
    return sign + text


def format_short(value: float | str) -> str:
    """A number to three digits, 3e-5 rather than 3e-05, and to more where it is near 1.

    A word or a whole number as it is.
    """
    if isinstance(value, str | int):
        return str(value)
    if 0.99 < value < 1:
        return f"{value:.6g}"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def count_words(count: int, noun: str) -> str:
    """How many of them: "1 trial", "1,200 trials"."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """More than one of them."""
    if noun.endswith("s"):
        return noun
    if noun.endswith("ch"):
        return noun + "es"
    is_y = noun.endswith("y") and noun[-2:-1] not in "aeiou"
    return noun[:-1] + "ies" if is_y else noun + "s"


def hide_home(text: str) -> str:
    """The text with this user's home folder as ~: what is handed around need not name it."""
    home = os.path.expanduser("~").rstrip("/")
    if not home or home == "~":
        return text
    return re.sub(rf"(?<![\w./~-]){re.escape(home)}(?![\w.-])", "~", text)


def hide_passwords(text: str) -> str:
    """The text with names and passwords in its addresses taken out: s3://…@bucket."""
    return re.sub(r"(://)[^/@\s]+@", r"\1…@", text)
