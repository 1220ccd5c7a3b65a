"""Ranges as Optuna has them, and points between a plan's fields and Optuna's parameters."""

from typing import Any, NamedTuple

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from study.design.plan import Point
from study.design.ranges import By, Choice, LogRange, OneMinus, Powers, Span

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Parameters(NamedTuple):
    """A point as Optuna has it, by Optuna's names."""

    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]


def log_distributions(search: dict[str, LogRange]) -> dict[str, BaseDistribution]:
    """The distributions of an even search."""
    return {name: FloatDistribution(span.low, span.high, log=True) for name, span in search.items()}


def to_distribution(span: Span) -> BaseDistribution:
    """A span's distribution; not that of one that depends on another parameter."""
    if isinstance(span, Choice):
        return CategoricalDistribution(span.among)
    if isinstance(span, Powers):
        return IntDistribution(span.low.bit_length() - 1, span.high.bit_length() - 1)
    assert isinstance(span, LogRange | OneMinus)
    return FloatDistribution(span.low, span.high, log=True)


def resolve_span(field: str, span: Span, point: Point) -> tuple[str, Span]:
    """Optuna's name of a field, and the span that applies at a point."""
    if isinstance(span, By):
        value = point[span.parameter]
        return f"{field} of {value}", span.spans[value]
    return {OneMinus: f"1 - {field}", Powers: f"log2 {field}"}.get(type(span), field), span


def to_field(span: Span, value: Any) -> Any:
    """A field's value of Optuna's: to four digits, back from a distance or an exponent."""
    if isinstance(span, Choice):
        return value
    if isinstance(span, Powers):
        return 2**value
    if isinstance(span, OneMinus):
        return float(f"{1 - float(f'{value:.3g}'):.10g}")
    assert isinstance(span, LogRange)
    return to_four_digits(span, value)


def to_four_digits(span: LogRange, value: float) -> float:
    """A value rounded to four digits, or the end of its range that rounding would pass."""
    return min(max(float(f"{value:.4g}"), span.low), span.high)


def to_parameter(span: Span, value: Any) -> Any:
    """Optuna's value of a field's."""
    if isinstance(span, Powers):
        return value.bit_length() - 1
    return float(f"{1 - value:.10g}") if isinstance(span, OneMinus) else value


def to_parameters(search: dict[str, Span], point: Point) -> Parameters:
    """A point's parameters; distributions are made wider where the point lies outside."""
    params, distributions = {}, {}
    for field, whole in search.items():
        name, span = resolve_span(field, whole, point)
        params[name] = to_parameter(span, point[field])
        distributions[name] = widen(to_distribution(span), params[name])
    return Parameters(params, distributions)


def widen(distribution: BaseDistribution, value: Any) -> BaseDistribution:
    """The distribution, made wider where it does not hold the value."""
    if isinstance(distribution, FloatDistribution):
        low, high = min(distribution.low, value), max(distribution.high, value)
        return FloatDistribution(low, high, log=True)
    if isinstance(distribution, IntDistribution):
        return IntDistribution(min(distribution.low, value), max(distribution.high, value))
    return distribution


def suggest_point(search: dict[str, Span], trial: optuna.Trial) -> Point:
    """The point that Optuna proposes, one parameter after the other."""
    point: Point = {}
    for field, whole in search.items():
        name, span = resolve_span(field, whole, point)
        distribution = to_distribution(span)
        if isinstance(distribution, FloatDistribution):
            low, high = distribution.low, distribution.high
            value: Any = trial.suggest_float(name, low, high, log=True)
        elif isinstance(distribution, IntDistribution):
            value = trial.suggest_int(name, distribution.low, distribution.high)
        else:
            value = trial.suggest_categorical(name, span.among)  # type: ignore[union-attr]
        point[field] = to_field(span, value)
    return point
