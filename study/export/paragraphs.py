"""The paragraphs of a paper with every number filled in: methods, deviations, references."""

from study.analysis.forecast import format_span
from study.analysis.results import Results
from study.analysis.statistics import EXACT
from study.design.plan import ALPHA, Plan
from study.report.provenance.deviations import deviation_lines
from study.report.provenance.origin import device_words
from study.report.wording import epochs_words, interval_kind
from study.store.study_file import StudyFile
from study.text import count_words, format_number, format_short, join_words

BIBTEX = """@misc{moco-study,
  title   = {moco-study: fair studies with repeated searches and intervals},
  author  = {{The moco-study developers}},
  version = {%s},
  year    = {2026},
  license = {Apache-2.0}
}

@article{holm1979,
  title   = {A Simple Sequentially Rejective Multiple Test Procedure},
  author  = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume  = {6},
  pages   = {65--70},
  year    = {1979}
}
"""


def methods_paragraph(results: Results, study: StudyFile) -> str:
    """What was done, in sentences that stand in a paper."""
    plan = results.plan
    sentences = [
        *(given_sentences(plan) if plan.given else study_sentences(plan)),
        *statistics_sentences(results),
        *([] if plan.given else [origin_sentence(results, study)]),
    ]
    return " ".join(sentences)


def given_sentences(plan: Plan) -> list[str]:
    """Of runs that were made elsewhere."""
    assert plan.given is not None
    given = plan.given
    return [
        f"We compared {join_words([arm.title for arm in plan.space.arms])} by "
        f"{plan.space.primary.title} in {given.rows:,} rows of {given.source} "
        f"(SHA-256 {plan.data.fingerprint[:16]}).",
        "The runs were made elsewhere; how they were tuned and selected was not verified.",
    ]


def study_sentences(plan: Plan) -> list[str]:
    """Data, arms, searches and final runs."""
    arms = join_words([arm.title for arm in plan.running])
    about = "; ".join(f"{thing} ({size})" if size else thing for _, thing, size in plan.data.about)
    sentences = [
        f"We compared {count_words(len(plan.running), plan.space.scientific)} ({arms}) on "
        f"{plan.data.title or plan.data.name}, {epochs_words(plan)}: {about}.",
        *tuning_sentences(plan),
    ]
    if plan.controls:
        titles = join_words([one.title.lower() for one in plan.controls])
        sentences.append(f"With the same seeds we ran as controls: {titles}.")
    if plan.sizes.replica_seeds and plan.space.replica.values:
        values = join_words(
            [f"{name} {format_short(v)}" for name, v in plan.space.replica.values.items()]
        )
        sentences.append(
            f"Besides, every arm of the published comparison ran at its setting ({values}) with "
            f"{count_words(plan.sizes.replica_seeds, 'seed')}."
        )
    return sentences


def tuning_sentences(plan: Plan) -> list[str]:
    """How arms were tuned, and on what their choices were scored."""
    tuned, sizes = [arm for arm in plan.running if arm.search], plan.sizes
    seeds = count_words(sizes.final_seeds, "fresh seed")
    if plan.space.explore:
        return [
            f"One arm is {plan.title(plan.space.reference)}; the other is what an adaptive search "
            f"of {count_words(sizes.search_trials, 'trial')} found and a validation split "
            f"confirmed. Both then ran with {seeds}, the same for both, and were scored once on "
            "the test split."
        ]
    if not tuned:
        return [f"Nothing was tuned; each ran with {seeds}, the same for all."]
    ranges = "; ".join(
        f"{arm.title} {name} in [{format_span(span)}]"
        for arm in tuned
        for name, span in arm.search.items()
    )
    searches = count_words(sizes.searches, "time") if plan.repeats else "once"
    added = (
        f", and up to {count_words(sizes.added_trials, 'point')} beyond an edge at which the best "
        "point lay" if sizes.added_trials else ""
    )  # fmt: skip
    return [
        f"Each was tuned {searches}, independently, by {sizes.search_trials} quasi-random points "
        f"(scrambled Sobol, logarithmic; {ranges}){added}, scored on a validation split.",
        f"Each search's choice was then trained with {seeds}, the same for all arms, and scored "
        "once on the test split.",
    ]


def statistics_sentences(results: Results) -> list[str]:
    """Intervals, tests, the smallest difference that matters, multiplicity."""
    plan, metric = results.plan, results.plan.space.primary
    kinds = interval_kind([one.result for one in results.verdicts])
    exact = "exact sign-flip tests" if plan.pairs <= EXACT else "sign-flip tests by simulation"
    test = exact if kinds != "Welch interval" else "Welch tests"
    delta = format_number(results.delta(metric), metric.decimals)
    sentences = [
        f"Arms were compared by {metric.title} with {kinds}s and two-sided {test} over "
        f"{count_words(plan.pairs, plan.unit('final'))}; the smallest difference that matters was "
        f"set to {delta} {metric.unit}.",
    ]
    if len(plan.family) > 1:
        sentences.append(
            f"The {len(plan.family)} comparisons of the family share an error rate of "
            f"{100 * ALPHA:g} % (Holm 1979; intervals by Bonferroni)."
        )
    if plan.analyses > 1:
        sentences.append(f"The error rate is shared by {plan.analyses} analyses.")
    return sentences


def origin_sentence(results: Results, study: StudyFile) -> str:
    """When it was planned and on what it ran."""
    hours = sum(record.seconds for record in results.records) / 3600
    devices = device_words(results.records) or "not stated"
    return (
        f"The plan (hash {study.hash}) was fixed on {study.about.created[:10]}, before the first "
        f"trial unless the deviations say otherwise; {len(results.records)} runs took "
        f"{hours:.1f} hours on {devices}."
    )


def deviations_paragraph(results: Results, study: StudyFile) -> str:
    """Where the study departed from its plan."""
    return " ".join(deviation_lines(results, study.about))
