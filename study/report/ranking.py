"""The ranking of the arms in words."""

from study.analysis.ranking import Ranking, Worse
from study.analysis.results import Results
from study.design.space import Metric
from study.report.wording import format_ends, format_level, format_size
from study.text import format_number, join_words, plural

SHORT = 3  # arms that a sentence names with their means


def ranking_words(results: Results, ranking: Ranking) -> tuple[str, str]:
    """Which arm is best, as the bold part of an answer, and what follows."""
    metric = results.plan.space.primary
    best, what = ranking.best, plural(results.plan.space.scientific)
    unit = plural(results.plan.unit("final"))
    level = f"{metric.title} {format_level(best.mean, metric)}"
    beaten = [f"{one.one.arm.title} ({worse_words(one, metric)})" for one in ranking.worse]
    worse = f" {join_words(beaten)} {'is' if len(beaten) == 1 else 'are'} worse." if beaten else ""
    if beaten and ranking.size > 2:
        worse += " These intervals hold for all pairs of arms at once."
    names = join_words(list(ranking.left_out)) if ranking.left_out else ""
    left = (
        f" Left out, since some of the runs are missing or have no result: {names}."
        if names
        else ""
    )
    ends = "ends best of those that can be compared" if names else "ends best"
    if doubts := doubted_words(ranking):
        left += f" Not judged: {doubts}."
    if not (ranking.level or ranking.worse):
        return f"Not testable, {best.arm.title} {ends}, {level}.", left.strip()
    if not ranking.level:
        return f"{best.arm.title} {ends}, {level}.", f"{worse.strip()}{left}"
    few = f" (so few {unit} cannot tell {ranking.size} {what} apart)"
    few = "" if ranking.can_tell else few
    if len(ranking.level) < SHORT:
        names = join_words(
            [
                f"{one.arm.title} ({format_number(one.mean, metric.decimals)})"
                for one in ranking.level
            ]
        )
        return (
            f"{best.arm.title} {ends}, {level};",
            f"{names} cannot be told apart from it{few}.{worse}{left}",
        )
    same = join_words([one.arm.title for one in ranking.level])
    return (
        f"{best.arm.title} {ends}, {level};",
        f"{len(ranking.level)} others cannot be told apart from it{few}: {same}.{worse}{left}",
    )


def doubted_words(ranking: Ranking) -> str:
    """The arms that cannot be held against the best one, each with what keeps it from that."""
    by_reason: dict[str, list[str]] = {}
    for one in ranking.doubted:
        reason = "; ".join(gate.reason for gate in one.gates)
        by_reason.setdefault(reason, []).append(one.one.arm.title)
    return "; ".join(f"{join_words(titles)} ({reason})" for reason, titles in by_reason.items())


def worse_words(worse: Worse, metric: Metric) -> str:
    """By how much an arm is worse, with the interval."""
    found = worse.difference
    ends = format_ends(found.low, found.high, metric, signed=False) if found.has_interval else ""
    return f"by {format_size(found.mean, metric)} {ends}".rstrip()
