"""The ranking of the arms in words."""

from study.analysis.ranking import Ranking, Worse
from study.analysis.results import Results
from study.design.space import Metric
from study.report.wording import format_level, format_size
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
    if beaten and len(results.arms) > 2:
        worse += " These intervals hold for all pairs of arms at once."
    names = join_words(list(ranking.left_out)) if ranking.left_out else ""
    left = (
        f" Left out, since some of the runs are missing or have no result: {names}."
        if names
        else ""
    )
    if not ranking.level:
        return f"{best.arm.title} ends best, {level}.", f"{worse.strip()}{left}"
    few = f" (so few {unit} cannot tell {len(results.arms)} {what} apart)"
    few = "" if ranking.can_tell else few
    if len(ranking.level) < SHORT:
        names = join_words(
            [
                f"{one.arm.title} ({format_number(one.mean, metric.decimals)})"
                for one in ranking.level
            ]
        )
        return (
            f"{best.arm.title} ends best, {level};",
            f"{names} cannot be told apart from it{few}.{worse}{left}",
        )
    same = join_words([one.arm.title for one in ranking.level])
    return (
        f"{best.arm.title} ends best, {level};",
        f"{len(ranking.level)} others cannot be told apart from it{few}: {same}.{worse}{left}",
    )


def worse_words(worse: Worse, metric: Metric) -> str:
    """By how much an arm is worse, with the interval."""
    low, high = (format_number(x, metric.decimals) for x in worse.difference[3:5])
    return f"by {format_size(worse.difference.mean, metric)} [{low}, {high}]"
