"""How arms look: one colour, shape and dash each, the same in every figure, given out in the order of the arms (Okabe & Ito 2008)."""

from typing import NamedTuple

from study.design.plan import Plan
from study.figures.plotly import Look


class Style(NamedTuple):
    """One arm's marks."""

    light: str
    light_text: str  # the same hue at 4.5:1 on paper
    dark: str
    dark_text: str
    dash: str  # pixels on and off; none: a full line
    small: str  # SVG of the mark around (0, 0), without its id
    large: str
    symbol: str  # Plotly's name of the shape
    glyph: str  # the shape as a letter


STYLES = (
    Style("#000000", "#000000", "#f4f4f2", "#f4f4f2", "none", '<circle {} r="4.5"/>', '<circle {} r="7"/>', "circle", "●"),
    Style("#0072b2", "#0072b2", "#56b4e9", "#56b4e9", "7 4", '<path {} d="M-4-4H4V4H-4Z"/>', '<path {} d="M-6.3-6.3H6.3V6.3H-6.3Z"/>', "square", "■"),
    Style("#cc79a7", "#a3507c", "#cc79a7", "#d98fb8", "2 3", '<path {} d="M-5.2-4H5.2L0 5.2Z"/>', '<path {} d="M-8-6H8L0 8Z"/>', "triangle-down", "▼"),
    Style("#009e73", "#007a59", "#009e73", "#2fbd94", "9 3 2 3", '<path {} d="M-5.2 4H5.2L0-5.2Z"/>', '<path {} d="M-8 6H8L0-8Z"/>', "triangle-up", "▲"),
    Style("#d55e00", "#b84f00", "#d55e00", "#f0843a", "15 4", '<path {} d="M0-5.8L5.8 0 0 5.8-5.8 0Z"/>', '<path {} d="M0-8.8L8.8 0 0 8.8-8.8 0Z"/>', "diamond", "◆"),
    Style("#e69f00", "#8a5f00", "#e69f00", "#e69f00", "5 2 2 2", '<path {} d="M-4.5 0H4.5M0-4.5V4.5" stroke="currentColor"/>', '<path {} d="M-7-2H-2V-7H2V-2H7V2H2V7H-2V2H-7Z"/>', "cross", "✚"),
    Style("#56b4e9", "#2a7aa8", "#a6d8f5", "#a6d8f5", "1 2", '<path {} d="M-4.9-1.6H4.9L-3 4.2 0-5.2 3 4.2Z"/>', '<path {} d="M-7.5-2.4H7.5L-4.6 6.4 0-7.9 4.6 6.4Z"/>', "star", "★"),
)  # fmt: skip


def styles(plan: Plan) -> dict[str, Style]:
    """Each arm's style; the reference arm has the first one, which is black."""
    order = sorted(plan.arms, key=lambda arm: arm.name != plan.reference)
    return {arm.name: style(i) for i, arm in enumerate(order)}


def style(i: int) -> Style:
    """The look of the i-th arm; from the eighth on colours return, each time with another shape and dash."""
    colour, shape = STYLES[i % len(STYLES)], STYLES[(i + i // len(STYLES)) % len(STYLES)]
    return colour._replace(
        dash=shape.dash,
        small=shape.small,
        large=shape.large,
        symbol=shape.symbol,
        glyph=shape.glyph,
    )


def plotly_look(plan: Plan) -> Look:
    """The styles as Plotly takes them, in light colours."""
    of = styles(plan)
    dashes = {
        name: "solid" if style.dash == "none" else ",".join(f"{n}px" for n in style.dash.split())
        for name, style in of.items()
    }
    colours, symbols, glyphs = (
        {name: getattr(style, part) for name, style in of.items()}
        for part in ("light", "symbol", "glyph")
    )
    return Look(colours, symbols, glyphs, dashes)


def css(plan: Plan) -> str:
    """The arms' tokens, light and dark, and a class for each."""
    of = styles(plan)
    light = " ".join(
        f"--{name}: {style.light}; --{name}-text: {style.light_text};" for name, style in of.items()
    )
    dark = " ".join(
        f"--{name}: {style.dark}; --{name}-text: {style.dark_text};" for name, style in of.items()
    )
    classes = "\n".join(
        f".{name} {{ --c: var(--{name}); --ct: var(--{name}-text); --dash: {style.dash}; }}"
        for name, style in of.items()
    )
    return (
        f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {dark} }} }}\n"
        f"@media screen {{ :root[data-theme=dark] {{ {dark} }} }}\n{classes}"
    )


def marks(plan: Plan) -> str:
    """The SVG definitions of every arm's small (m-) and large (mb-) mark."""
    of = styles(plan).items()
    return "".join(
        style.small.format(f'id="m-{name}"') + style.large.format(f'id="mb-{name}"')
        for name, style in of
    )
