"""For mkdocs: names what lies outside docs/ in place of a link that a page could not follow."""

import re
from typing import Any

OUTER = re.compile(r"\[([^\]]+)\]\(((?:\.\./|[\w-]+\.(?:yaml|sh)\b|Dockerfile)[^)]*)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page's text with such links as words."""
    return OUTER.sub(outer_words, markdown)


def outer_words(link: re.Match[str]) -> str:
    """The words of a link, with its place where they do not name it."""
    words, place = link.group(1), link.group(2).removeprefix("../")
    return f"`{place}`" if words.strip("`") == place else f"{words} (`{place}`)"
