"""Sentences made of numbers: every one on the page that carries a result comes from here."""

from study.analysis.gates import least_seeds
from study.analysis.statistics import pairs_needed
from study.analysis.summaries import ArmResult
from study.analysis.verdict import LABELS, Verdict
from study.design.plan import Plan
from study.design.space import Metric
from study.report.section import digits
from study.text import joined, number


def signed(value: float, metric: Metric) -> str:
    """A difference with its sign, in the metric's decimals."""
    return number(value, digits(metric), True)


def interval(verdict: Verdict, metric: Metric) -> str:
    """The interval in brackets."""
    return f"[{signed(verdict.result.low, metric)}, {signed(verdict.result.high, metric)}]"


def p_words(p: float) -> str:
    """A p-value to three digits."""
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"


def titles(plan: Plan, verdict: Verdict) -> tuple[str, str]:
    """The two arms of a claim."""
    return plan.arm(verdict.claim.better).title, plan.arm(verdict.claim.than).title


def answer(plan: Plan, verdict: Verdict | None) -> tuple[str, str]:
    """The page's answer: its bold part and what follows, with n and the interval."""
    if verdict is not None and (
        lacking := [gate.reason for gate in verdict.gates if gate.name == "Needs"]
    ):
        return "Not answered here:", f"{lacking[0]}. Below the final result stands what to do."
    if verdict is None or not verdict.result.n:
        return (
            "Not answered yet:",
            "no pair of final runs has finished so far; a run that diverged gives none.",
        )
    metric = plan.metric(verdict.claim.metric)
    better, than = titles(plan, verdict)
    r = verdict.result
    size, bounds = (
        f"{abs(r.mean):.{digits(metric)}f} {metric.unit} of {metric.title}",
        interval(verdict, metric),
    )
    pairs = (
        f"{100 * r.level:.3g} % interval, n = {r.n} pairs on the same seeds"
        if r.n > 1
        else "n = 1 pair, no interval"
    )
    effect = (
        f"{signed(r.mean, metric)} {metric.unit} of {metric.title} {bounds}"
        if r.n > 1
        else f"{signed(r.mean, metric)} {metric.unit}, one pair"
    )
    how, even = asked_how(plan, verdict)
    said = {
        "supported": (f"Yes, by {size} {bounds},", f"{how} ({pairs})."),
        "small": (
            f"Yes, but only by about {size} {bounds},",
            f"an estimate below the {verdict.delta:.{digits(metric)}f} that matter ({pairs}).",
        ),
        "contradicted": (
            f"No, the opposite holds: {better} ends {size} below {than} {bounds},",
            f"{even} ({pairs}).",
        ),
        "equivalent": (
            f"No: {better} and {than} are level, {effect},",
            f"within the ±{verdict.delta:.{digits(metric)}f} that do not matter ({pairs}).",
        ),
        "nogain": (
            f"No gain that matters: {effect};",
            f"an advantage of {verdict.delta:.{digits(metric)}f} or more is ruled out ({pairs}).",
        ),
        "undecided": (
            f"Undecided: {effect}.",
            f"The interval holds both zero and differences that matter ({pairs}).",
        ),
        "untestable": (
            "Not testable:",
            f"{failed_reasons(verdict)}. Measured: {effect} ({pairs}).",
        ),
    }
    if verdict.label == "undecided" and r.low > 0:
        return (
            f"Undecided: {effect}.",
            f"The interval lies above zero, but p is {p_words(verdict.p)} ({pairs}).",
        )
    return said[verdict.label]


def asked_how(plan: Plan, verdict: Verdict) -> tuple[str, str]:
    """What was done for both arms before they met: as a part of yes, and of no."""
    if plan.explore is not None:
        return "at the setting that the search found", "though it was searched for"
    if any(plan.arm(name).search for name in (verdict.claim.better, verdict.claim.than)):
        return "once each has its own learning rate", "even at its own learning rate"
    return "{} against {}, nothing tuned for either".format(
        *titles(plan, verdict)
    ), "nothing being tuned for either"


def failed_reasons(verdict: Verdict) -> str:
    """Why a claim cannot be tested."""
    reasons = [gate.reason for gate in verdict.gates if gate.state == "failed"]
    return "; ".join(reasons) or "a single pair of runs has no interval"


def replica_sentence(plan: Plan, verdict: Verdict | None) -> str:
    """What the report's own setting gives with seeds; empty where the report has none."""
    if not any(arm.in_report for arm in plan.arms):
        return ""
    if verdict is None:
        return ""
    setting = f"At the report’s setting, {plan.replica.shown},"
    if lacking := [gate.reason for gate in verdict.gates if gate.name == "Needs"]:
        return f"{setting} nothing was run: {lacking[0]}."
    if verdict.result.n < 2:
        return f"{setting} too few runs have ended to say."
    metric = plan.metric(verdict.claim.metric)
    better, than = titles(plan, verdict)
    r = verdict.result
    size = f"{abs(r.mean):.{digits(metric)}f} {metric.unit}"
    above, below = ("higher", "lower") if metric.higher_is_better else ("lower", "higher")
    side = {"supported": above, "small": above, "contradicted": below}.get(verdict.label)
    if side is None:
        bounds = (
            f"{signed(r.mean, metric)} {metric.unit} {interval(verdict, metric)}, n = {r.n} pairs"
        )
        return f"{setting} the claim on the {metric.title} is {LABELS[verdict.label][0].lower()}: an advantage of {bounds}{collapsed_words(verdict)}."
    low, high = sorted((abs(r.low), abs(r.high)))
    bounds = f"[{low:.{digits(metric)}f}, {high:.{digits(metric)}f}], n = {r.n} pairs"
    return f"{setting} {better} ends with a {side} {metric.title} than {than}, by {size} {bounds}{collapsed_words(verdict)}."


def published_sentence(plan: Plan, verdict: Verdict | None) -> str:
    """Why the published claim as such cannot be judged."""
    if verdict is None:
        return ""
    return f"one run each, one shared setting ({plan.replica.shown}), nothing tuned, judged by the {plan.metric(verdict.claim.metric).title}."


def collapsed_words(verdict: Verdict) -> str:
    """What the stability gate says of collapsed runs, as an afterthought; empty where none did."""
    said = [
        part
        for gate in verdict.gates
        if gate.name == "Stability"
        for part in gate.reason.split("; ")
        if "collapsed and" in part
    ]
    return f" ({'; '.join(said)})" if said else ""


def result_note(plan: Plan, verdict: Verdict) -> str:
    """Interval kind, n, p and δ under a claim's difference."""
    metric, r = plan.metric(verdict.claim.metric), verdict.result
    if r.n < 2:
        return f"n = {r.n} pair{'' if r.n == 1 else 's'}, no interval."
    kind = "Holm p" if verdict.family > 1 else "sign-flip p"
    delta = (
        f"Smallest difference that matters: δ = {verdict.delta:.{digits(metric)}f} {metric.unit}."
    )
    return f"{100 * r.level:.3g} % paired t interval, n = {r.n} pairs, {kind} = {p_words(verdict.p)}. {delta}"


def what_would_change(plan: Plan, verdict: Verdict) -> str:
    """What would turn the label, computed from the same pairs."""
    metric, r = plan.metric(verdict.claim.metric), verdict.result
    if verdict.claim.role == "published":
        tuned = (
            ", each arm at its own tuned rate" if any(arm.search for arm in plan.running) else ""
        )
        return f"Six or more paired seeds{tuned}, scored by accuracy."
    if any(gate.name == "Needs" for gate in verdict.gates):
        return "What is missing here: below the final result stands what that is."
    if verdict.label == "untestable":
        return remedies(plan, verdict)
    said = []
    if r.n > 2:
        means = [(sum(r.differences) - d) / (r.n - 1) for d in r.differences]
        said.append(
            f"Leaving out any one seed keeps the mean between {signed(min(means), metric)} and {signed(max(means), metric)}."
        )
    if verdict.label == "supported":
        said.insert(
            0,
            f"With a δ above {abs(r.mean):.{digits(metric)}f} {metric.unit} it would be “supported, small”.",
        )
    if verdict.label == "undecided":
        least = 2 / 2**r.n * verdict.family
        if least > verdict.alpha:
            said.insert(
                0,
                f"With n = {r.n} no claim{f' in a family of {verdict.family}' if verdict.family > 1 else ''} can reach p = {verdict.alpha:g} (the least is {least:.2f}); more seeds can.",
            )
        elif pairs_needed(r, verdict.delta) > r.n:
            said.insert(
                0,
                f"More seeds: about {pairs_needed(r, verdict.delta)} pairs bring the interval to ±δ; this study has {r.n}.",
            )
        else:
            said.insert(
                0,
                "The interval is narrower than ±δ, but the estimate lies too near its edge; only many more seeds could tell.",
            )
    if verdict.label in ("equivalent", "nogain"):
        said.insert(
            0,
            f"A δ below {max(abs(r.low), abs(r.high)) if verdict.label == 'equivalent' else r.high:.{digits(metric)}f} {metric.unit}.",
        )
    if verdict.label == "contradicted":
        said.insert(0, "Another setting: it holds for this one only.")
    return " ".join(said)


def remedies(plan: Plan, verdict: Verdict) -> str:
    """What each failed gate asks for."""
    failed = {gate.name: gate.reason for gate in verdict.gates if gate.state == "failed"}
    if "has not ended" in failed.get("Seeds", ""):
        return "The same command goes on where the study stopped."
    said = {
        "Seeds": f"More seeds: --seeds {least_seeds(plan, 'final')} or more; raised after results were seen it is another look at them."
        if verdict.claim.stage == "final"
        else "More seeds of the replica, in the space’s profile.",
        "Range": "A denser search, as by --trials, or in the space’s file a wider range.",
        "Budget": "The same command: it runs what an arm still lacks.",
        "Search": "The same command goes on with the search.",
        "Stability": "A range without the settings at which runs diverge.",
    }
    found = [said[name] for name in failed if name in said]
    return " ".join(found) if found else f"The gate: {failed_reasons(verdict)}."


def four_title(rows: list[Verdict]) -> str:
    """The finding of the four ways."""
    words = ["no", "one", "two", "three", "four"]
    labels = len({verdict.label for verdict in rows})
    return f"One claim, {words[len(rows)]} tests, {words[labels]} {'label' if labels == 1 else 'different labels'}"


def then_title(plan: Plan, published: Verdict | None, replica: Verdict | None) -> str:
    """Whether the report's picture comes back."""
    if published is None or replica is None or not published.result.n or replica.result.n < 2:
        return "The report’s setting, run again"
    one = "repeats" if published.result.mean > 0 else "does not repeat"
    many = {
        "supported": "agree with it",
        "small": "agree with it",
        "contradicted": "show the opposite",
    }.get(replica.label, "do not decide it")
    return f"One seed {one} the report’s order; {replica.result.n} seeds {many}"


def final_title(plan: Plan, results: list[ArmResult], verdicts: list[Verdict]) -> str:
    """Who ends above the reference, with the words that the labels license."""
    reference = plan.arm(plan.reference).title
    groups: dict[str, list[str]] = {}
    words = {
        "supported": "above", "small": "slightly above", "contradicted": "below", "equivalent": "level with", "nogain": "not relevantly above",
        "undecided": "undecided against", "untestable": "not testable against",
    }  # fmt: skip
    for verdict in verdicts:
        if (
            verdict.claim.stage == "final"
            and verdict.claim.metric == plan.metrics[0].name
            and verdict.claim.than == plan.reference
            and verdict.result.n
        ):
            groups.setdefault(words[verdict.label], []).append(plan.arm(verdict.claim.better).title)
    if not groups:
        return "The final stage has not ended"
    parts = [f"{joined(names)} {'ends' if len(names) == 1 else 'end'} {word} {reference}" if "above" in word or "below" in word
             else f"{joined(names)} {'is' if len(names) == 1 else 'are'} {word} {reference}" for word, names in groups.items()]  # fmt: skip
    return ("Each tuned: " if any(arm.search for arm in plan.running) else "") + "; ".join(parts)


def plural(noun: str) -> str:
    """More than one of them."""
    return noun if noun.endswith("s") else noun[:-1] + "ies" if noun.endswith("ry") else noun + "s"
