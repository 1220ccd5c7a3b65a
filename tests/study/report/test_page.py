"""The page: the same bytes from the same records, whole without scripts, offline, and honest."""

import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from toy import SPACE, about, run_all

from study.analysis.results import Results
from study.design.facts import DataFacts
from study.design.space import Replica
from study.report.folder import StudyFolder
from study.report.page import write_report
from study.report.provenance.deviations import deviation_lines
from study.report.provenance.origin import provenance_rows
from study.report.provenance.threats import remark_lines
from study.report.sections.reproduction import loss_words
from study.store.directory import open_study
from study.store.study_file import StudyFile
from study.text import format_number, format_short


@pytest.fixture
def folder(finished, tmp_path):
    return write_study(tmp_path / "results", *finished)


def write_study(folder, plan, records):
    _, ledger = open_study(
        folder,
        plan,
        about(
            command=["--space", "toy"],
            folder="results",
            commit="c0ffee",
            created="2026-01-01T00:00:00Z",
        ),
    )
    for record in records:
        ledger.append(record)
    ledger.close()
    return folder


class Reader(HTMLParser):
    """Headings, addresses and visible words of a page."""

    def __init__(self, page):
        super().__init__()
        self.headings, self.fetched, self.ids, self.links, self.words, self.hidden = (
            [],
            [],
            [],
            [],
            [],
            0,
        )
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.hidden += tag in ("script", "style")
        if attrs.get("id"):
            self.ids.append(attrs["id"])
        self.fetched += [
            attrs[key] for key in ("src", "srcset", "data", "poster") if attrs.get(key)
        ]
        self.links += [attrs["href"]] if tag == "a" else []
        self.fetched += (
            [attrs["href"]] if tag == "link" and not attrs["href"].startswith("data:") else []
        )

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def read(folder):
    return Reader((folder / "report.html").read_text())


def test_the_same_records_give_the_same_page_byte_for_byte(folder):
    first = write_report(folder).page.read_bytes()
    assert write_report(folder).page.read_bytes() == first


def test_the_page_fetches_nothing_and_every_link_leads_somewhere(folder):
    write_report(folder)
    page = read(folder)
    assert page.fetched == []
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_it_has_one_first_heading_and_skips_no_level(folder):
    write_report(folder)
    headings = read(folder).headings
    assert headings.count(1) == 1
    assert headings[0] == 1
    for before, after in itertools.pairwise(headings):
        assert after <= before + 1


def test_the_first_screen_answers_with_n_and_an_interval(folder):
    write_report(folder)
    page = (folder / "report.html").read_text()
    answer = Reader(page[page.index('<p class="answer">') : page.index('<dl class="meta"')]).text
    assert re.search(r"Yes, by \d\.\d points of score \[\d\.\d, \d\.\d\]", answer)
    assert "n = 7 pairs" in answer
    assert "As published the claim is not testable" in answer


def test_plotly_is_inside_once_and_the_panels_are_safe_json(folder):
    write_report(folder)
    page = (folder / "report.html").read_text()
    assert page.count('id="plotly"') == 1
    assert page.count("</script>") == 3
    panels = json.loads(re.search(r'id="panels">(.*?)</script>', page, re.S).group(1))
    assert {
        "then-one",
        "then-all",
        "final-level",
        "final-difference",
        "rate-red",
        "rate-blue",
        "rate-green",
        "loss-all",
        "budget-curve",
    } <= set(panels)
    assert all(trace["meta"]["arm"] for panel in panels.values() for trace in panel["data"])
    assert len(page) < 3_000_000


def test_words_from_a_space_are_escaped(folder):
    write_report(folder)
    page = (folder / "report.html").read_text()
    assert "Green <b>" not in page.replace("\\u003c", "")
    assert "Green &lt;b&gt;" in page


@pytest.mark.parametrize("count", [0, 1, 3, 14, 40, 60])
def test_a_study_that_was_stopped_anywhere_has_a_page_that_says_so(toy, tmp_path, count):
    plan = toy.plan()
    folder = write_study(tmp_path / "results", plan, run_all(plan, toy.task, tmp_path, limit=count))
    write_report(folder)
    page = read(folder)
    assert "Not ended of the" in page.text
    if count < 40:
        assert "Not answered yet" in page.text


def test_diverged_and_failed_runs_are_counted_and_shown(toy, tmp_path):
    plan = toy.plan(overrides={"best": 1.0})
    records = run_all(plan, toy.task, tmp_path)
    diverged = sum(r.status == "diverged" for r in records)
    records.insert(
        0, replace(records[0], status="failed", error="RuntimeError: worker lost", result={})
    )
    write_report(write_study(tmp_path / "results", plan, records))
    text = read(tmp_path / "results").text
    assert diverged
    assert f"{diverged} diverged" in text
    assert "1 failed" in text
    assert (
        "failed and was run again with the same seed; both records are kept: RuntimeError: worker lost."
        in text
    )


def test_the_flat_copies_hold_every_record_and_epoch(folder, finished):
    import pandas as pd

    write_report(folder)
    trials, epochs = pd.read_csv(folder / "trials.csv"), pd.read_csv(folder / "epochs.csv")
    assert len(trials) == len(finished[1])
    assert len(epochs) == sum(len(record.curve) for record in finished[1])
    assert set(trials["config.colour"]) == {"red", "blue", "green"}


def test_numbers_carry_a_typographic_minus_and_zero_no_sign():
    assert format_number(-1.25, 1) in ("−1.2", "−1.3")
    assert format_number(0.04, 1, signed=True) == "0.0"
    assert format_number(2, 1, signed=True) == "+2.0"
    assert format_short(0.00003) == "3e-5"


def test_what_the_task_says_of_its_final_runs_stands_among_the_threats(toy, finished):
    plan, records = finished
    assert remark_lines(Results(plan, records)) == []
    spoken = [
        replace(r, result={**r.result, "remarks": ["Collapse: all is one."]})
        if (r.stage, r.arm, r.seed % 2) == ("final", "red", 0)
        else r
        for r in records
    ]
    (line,) = remark_lines(Results(plan, spoken))
    assert re.fullmatch(
        r"\d of 7 final runs of Red drew a remark; that of seed \d+: Collapse: all is one\.", line
    )


ONE_METRIC = replace(
    SPACE,
    metrics=SPACE.metrics[:1],
    claims=tuple(claim for claim in SPACE.claims if claim.metric == "score"),
)
BARE = replace(
    ONE_METRIC,
    arms=tuple(replace(arm, search={}, in_report=False) for arm in SPACE.arms),
    replica=Replica(),
    stages={name: SPACE.stages[name] for name in ("search", "confirm", "final")},
    collapse=None,
    threats=(),
)


@pytest.mark.parametrize("claims", [ONE_METRIC.claims, ONE_METRIC.claims[:1], ()])
@pytest.mark.parametrize("limit", [0, 20, 10_000])
def test_a_space_with_one_metric_has_a_page(toy, tmp_path, claims, limit):
    plan = toy.plan(space=replace(ONE_METRIC, claims=claims))
    records = run_all(plan, toy.task, tmp_path, limit=limit)
    write_report(write_study(tmp_path / "results", plan, records))
    page = read(tmp_path / "results")
    assert "loss" not in page.ids
    assert {link[1:] for link in page.links} <= set(page.ids)


@pytest.mark.parametrize("limit", [0, 5, 10_000])
def test_a_space_without_replica_collapse_and_data_has_a_page(toy, tmp_path, limit):
    data = DataFacts(fingerprint="f" * 64)
    plan = toy.plan(space=BARE, data=data, replica_seeds=0)
    records = run_all(plan, toy.task, tmp_path, limit=limit)
    write_report(write_study(tmp_path / "results", plan, records))
    page = read(tmp_path / "results")
    assert not {"then", "rate", "four"} & set(page.ids)
    assert "collapsed" not in page.text.replace("none collapsed", "")
    assert "Data fingerprint sha256:ffffffffffffffff…" in page.text


def test_runs_that_ought_to_be_alike_and_are_not_stand_among_the_deviations(finished):
    plan, records = finished
    assert not any("differ" in line for line in deviation_lines(Results(plan, records), about()))
    other = replace(records[3], result={**records[3].result, "precision": "half"})
    mixed = [*records[:3], other, *records[4:]]
    lines = deviation_lines(Results(plan, mixed), about())
    assert "The runs of this study differ in precision (half, none)." in lines


def test_the_provenance_holds_what_the_trainer_names(finished, tmp_path):
    plan, records = finished
    plan = replace(
        plan,
        words=replace(plan.words, inputs={"checksum": "weights"}),
        data=replace(plan.data, provenance=(("Views", "none"), ("Duplicates", "2 images"))),
        found={"red": {"checksum": "ab" * 32}, "blue": {"checksum": "cd" * 32}},
    )
    study = StudyFile(plan, about(), plan.hash, plan.hash)
    rows = {
        row.term: row.words
        for row in provenance_rows(StudyFolder(tmp_path, study, Results(plan, records)))
    }
    assert (
        rows["Weights"] == "Red from sha256:abababababababab…; Blue from sha256:cdcdcdcdcdcdcdcd…"
    )
    assert (rows["Views"], rows["Duplicates"]) == ("none", "2 images")
    assert rows["Device"] == "none; precision: none; 1 worker a trial"


def test_the_words_on_the_loss_need_what_guessing_gives(finished):
    plan, _ = finished
    plan = replace(plan, words=replace(plan.words, loss="Chance is {chance} nats."))
    assert loss_words(plan) == ""
    plan = replace(plan, data=replace(plan.data, chance={"loss": 4.8598}))
    assert loss_words(plan) == "Chance is 4.86 nats."
