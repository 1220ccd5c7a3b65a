"""The terms of the page, each with what it means in a sentence."""

from study.design.plan import Plan
from study.text import plural

PAIR = "two runs, one of either arm, on the same seed: what the seed gives to both cancels"
SEARCH = (
    "one tuning of every arm, on points and a seed of its own; what it chooses for an arm then "
    "runs on fresh seeds"
)
FIXED = "; its rule is fixed before the first run"


def explain_terms(plan: Plan) -> dict[str, str]:
    """Terms of the method that this page uses, then those of the trainer."""
    unit = plan.unit("final")
    terms = {
        "Arm": f"one of the things compared: here {with_article(plan.space.scientific)}",
        "δ": "the smallest difference that matters" + ("" if plan.given else FIXED),
        "Gate": "a condition that must hold before a number may decide a claim",
        "Pair": PAIR,
        "Search": SEARCH if plan.repeats else "",
        "Interval": "the differences that fit the runs: of many such intervals 95 % hold the true "
        "difference",
        "Two-way interval": f"one that covers other {plural(unit)} and other test images at once",
        "Sign-flip p": "how often a mean at least this far from zero would come about if the sign "
        "of every pair were a coin’s toss",
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
