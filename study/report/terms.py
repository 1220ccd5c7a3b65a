"""The terms of the page, each with what it means in a sentence."""

from study.design.plan import Plan
from study.text import plural

PAIR = "two runs, one of either arm, on the same seed: what the seed gives to both cancels"
SEARCH = "trials of one arm, after which one point is chosen and run on a fresh seed"


def explain_terms(plan: Plan) -> dict[str, str]:
    """Terms of the method that this page uses, then those of the trainer."""
    unit = plan.unit("final")
    terms = {
        "Arm": f"one of the things compared: here {with_article(plan.space.scientific)}",
        "δ": "the smallest difference that matters"
        + ("" if plan.given else ", fixed before the first run"),
        "Gate": "a condition that must hold before a number may decide a claim",
        "Pair": PAIR,
        "Search": SEARCH if plan.repeats else "",
        "Interval": "the differences that fit the runs: of many such intervals 95 % hold the true "
        "difference",
        "Two-way interval": f"one that covers other {plural(unit)} and other test images at once",
        "Sign-flip p": "the share of all ways to turn the pairs’ signs that lie as far from zero",
        "Holm": "p-values of several claims, raised so that together they err as rarely as one"
        if len(plan.family) > 1
        else "",
        "Control": "what a level is read against, in no claim" if plan.controls else "",
        "IQM": "interquartile mean: that of the middle half, which outliers do not move",
    }
    return {term: words for term, words in {**terms, **plan.words.terms}.items() if words}


def with_article(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
