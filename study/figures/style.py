"""How arms look: one colour, shape and dash each, the same in every figure (Okabe & Ito 2008)."""

from typing import NamedTuple

from study.design.plan import Plan
from study.figures.plotly import PlotlyStyle


class ArmStyle(NamedTuple):
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
    ArmStyle(
        light="#000000",
        light_text="#000000",
        dark="#f4f4f2",
        dark_text="#f4f4f2",
        dash="none",
        small='<circle {} r="4.5"/>',
        large='<circle {} r="7"/>',
        symbol="circle",
        glyph="●",
    ),
    ArmStyle(
        light="#0072b2",
        light_text="#0072b2",
        dark="#56b4e9",
        dark_text="#56b4e9",
        dash="7 4",
        small='<path {} d="M-4-4H4V4H-4Z"/>',
        large='<path {} d="M-6.3-6.3H6.3V6.3H-6.3Z"/>',
        symbol="square",
        glyph="■",
    ),
    ArmStyle(
        light="#cc79a7",
        light_text="#a3507c",
        dark="#cc79a7",
        dark_text="#d98fb8",
        dash="2 3",
        small='<path {} d="M-5.2-4H5.2L0 5.2Z"/>',
        large='<path {} d="M-8-6H8L0 8Z"/>',
        symbol="triangle-down",
        glyph="▼",
    ),
    ArmStyle(
        light="#009e73",
        light_text="#007a59",
        dark="#009e73",
        dark_text="#2fbd94",
        dash="9 3 2 3",
        small='<path {} d="M-5.2 4H5.2L0-5.2Z"/>',
        large='<path {} d="M-8 6H8L0-8Z"/>',
        symbol="triangle-up",
        glyph="▲",
    ),
    ArmStyle(
        light="#d55e00",
        light_text="#b84f00",
        dark="#d55e00",
        dark_text="#f0843a",
        dash="15 4",
        small='<path {} d="M0-5.8L5.8 0 0 5.8-5.8 0Z"/>',
        large='<path {} d="M0-8.8L8.8 0 0 8.8-8.8 0Z"/>',
        symbol="diamond",
        glyph="◆",
    ),
    ArmStyle(
        light="#e69f00",
        light_text="#8a5f00",
        dark="#e69f00",
        dark_text="#e69f00",
        dash="5 2 2 2",
        small='<path {} d="M-4.5 0H4.5M0-4.5V4.5" stroke="currentColor"/>',
        large='<path {} d="M-7-2H-2V-7H2V-2H7V2H2V7H-2V2H-7Z"/>',
        symbol="cross",
        glyph="✚",
    ),
    ArmStyle(
        light="#56b4e9",
        light_text="#2a7aa8",
        dark="#a6d8f5",
        dark_text="#a6d8f5",
        dash="1 2",
        small='<path {} d="M-4.9-1.6H4.9L-3 4.2 0-5.2 3 4.2Z"/>',
        large='<path {} d="M-7.5-2.4H7.5L-4.6 6.4 0-7.9 4.6 6.4Z"/>',
        symbol="star",
        glyph="★",
    ),
)


def arm_styles(plan: Plan) -> dict[str, ArmStyle]:
    """Each arm's style; the reference has the first one, black.

    The others have it by their place in the space, so that an arm looks the same in every study of
    it, whichever arms that leaves out.
    """
    arms = plan.space.arms
    places = {arm.name: arm.place if arm.place >= 0 else i for i, arm in enumerate(arms)}
    first = places[plan.space.reference]
    # those before the reference move back by one: it takes the first style from them
    return {
        name: arm_style(0 if place == first else place + 1 if place < first else place)
        for name, place in places.items()
    }


def arm_style(i: int) -> ArmStyle:
    """The i-th style; from the eighth on colours return, each time with another shape and dash."""
    colour, shape = STYLES[i % len(STYLES)], STYLES[(i + i // len(STYLES)) % len(STYLES)]
    return colour._replace(
        dash=shape.dash,
        small=shape.small,
        large=shape.large,
        symbol=shape.symbol,
        glyph=shape.glyph,
    )


def plotly_style(plan: Plan) -> PlotlyStyle:
    """The styles as Plotly takes them, in light colours."""
    styles = arm_styles(plan).items()
    return PlotlyStyle(
        colours={name: style.light for name, style in styles},
        symbols={name: style.symbol for name, style in styles},
        glyphs={name: style.glyph for name, style in styles},
        dashes={name: plotly_dash(style.dash) for name, style in styles},
    )


def plotly_dash(dash: str) -> str:
    """A dash as Plotly takes it."""
    return "solid" if dash == "none" else ",".join(f"{pixels}px" for pixels in dash.split())


def arms_css(plan: Plan) -> str:
    """The arms' tokens, light and dark, and a class for each."""
    styles = arm_styles(plan).items()
    light = " ".join(color_tokens(name, s.light, s.light_text) for name, s in styles)
    dark = " ".join(color_tokens(name, s.dark, s.dark_text) for name, s in styles)
    classes = (
        f".{name} {{ --c: var(--{name}); --ct: var(--{name}-text); --dash: {style.dash}; }}"
        for name, style in styles
    )
    return "\n".join(
        [
            f":root {{ {light} }}",
            "@media screen and (prefers-color-scheme: dark) "
            f"{{ :root:not([data-theme=light]) {{ {dark} }} }}",
            f"@media screen {{ :root[data-theme=dark] {{ {dark} }} }}",
            *classes,
        ]
    )


def color_tokens(name: str, mark: str, text: str) -> str:
    """An arm's colours of marks and of text."""
    return f"--{name}: {mark}; --{name}-text: {text};"


def marks_svg(plan: Plan) -> str:
    """The SVG definitions of every arm's small (m-) and large (mb-) mark."""
    return "".join(
        style.small.format(f'id="m-{name}"') + style.large.format(f'id="mb-{name}"')
        for name, style in arm_styles(plan).items()
    )
