"""Optuna proposes the points of an even search, and keeps what came of all searches in optuna.db."""

from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from study.design.ranges import By, Choice, LogRange, OneMinus, Powers, Span


def distributions(search: dict[str, LogRange]) -> dict[str, BaseDistribution]:
    """The ranges as Optuna has them."""
    return {name: FloatDistribution(span.low, span.high, log=True) for name, span in search.items()}


Point = dict[str, Any]


def distribution(span: Span) -> BaseDistribution:
    """A parameter as Optuna has it; not of one that depends on another."""
    if isinstance(span, Choice):
        return CategoricalDistribution(span.among)
    if isinstance(span, Powers):
        return IntDistribution(span.low.bit_length() - 1, span.high.bit_length() - 1)
    assert isinstance(span, LogRange | OneMinus)
    return FloatDistribution(span.low, span.high, log=True)


def named(name: str, span: Span, point: Point) -> tuple[str, Span]:
    """Optuna's name of a field and its span: of one that depends on another, those that apply."""
    if isinstance(span, By):
        return f"{name} of {point[span.parameter]}", span.spans[point[span.parameter]]
    return {OneMinus: f"1 - {name}", Powers: f"log2 {name}"}.get(type(span), name), span


def value_of(span: Span, asked: Any) -> Any:
    """A field's value: Optuna's, to four digits, and back from a distance or an exponent."""
    if isinstance(span, Choice):
        return asked
    if isinstance(span, Powers):
        return 2**asked
    return (
        float(f"{asked:.4g}")
        if isinstance(span, LogRange)
        else float(f"{1 - float(f'{asked:.3g}'):.10g}")
    )


def asked_of(span: Span, value: Any) -> Any:
    """What Optuna would have asked for to give a field this value."""
    return (
        value.bit_length() - 1
        if isinstance(span, Powers)
        else float(f"{1 - value:.10g}")
        if isinstance(span, OneMinus)
        else value
    )


def params_of(
    search: dict[str, Span], point: Point
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """A point's parameters by Optuna's names, and their distributions, made wider where the point lies outside."""
    params, spans = {}, {}
    for field, span in search.items():
        name, own = named(field, span, point)
        params[name] = asked_of(own, point[field])
        spans[name] = holding(distribution(own), params[name])
    return params, spans


def holding(fits: BaseDistribution, value: Any) -> BaseDistribution:
    """The distribution, made wider where it does not hold the value."""
    if isinstance(fits, FloatDistribution):
        return FloatDistribution(min(fits.low, value), max(fits.high, value), log=True)
    return (
        IntDistribution(min(fits.low, value), max(fits.high, value))
        if isinstance(fits, IntDistribution)
        else fits
    )


def suggested(search: dict[str, Span], trial: optuna.Trial) -> Point:
    """The point that Optuna proposes, a parameter after the other."""
    point: Point = {}
    for field, span in search.items():
        name, own = named(field, span, point)
        fits = distribution(own)
        if isinstance(fits, FloatDistribution):
            asked: Any = trial.suggest_float(name, fits.low, fits.high, log=True)
        elif isinstance(fits, IntDistribution):
            asked = trial.suggest_int(name, fits.low, fits.high)
        else:
            asked = trial.suggest_categorical(name, own.among)  # type: ignore[union-attr]
        point[field] = value_of(own, asked)
    return point
