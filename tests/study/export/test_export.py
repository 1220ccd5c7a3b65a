"""A study for a paper: its tables are the page's, its figures whole, its paragraphs filled in."""

import csv
import re
import shutil
import subprocess

import pytest
from report.test_page import write_study

import run_study
from study.analysis.results import Results
from study.export.export import export_study
from study.export.tables import escape, latex_table, paper_tables
from study.report.sections.final_result import final_section


@pytest.fixture
def folder(finished, tmp_path):
    return write_study(tmp_path / "results", *finished)


def test_the_tables_are_those_of_the_page(finished):
    results = Results(*finished)
    final = paper_tables(results)[0]
    section = final_section(results)
    assert final.head == section.head
    assert [row[1:] for row in final.rows] == [row.cells for row in section.rows]
    text = latex_table(final)
    for cell in final.rows[0][1:]:
        assert f"& {escape(cell)}" in text
    for word in (r"\toprule", r"\midrule", r"\bottomrule", r"\label{tab:final}"):
        assert word in text


def test_the_claims_have_difference_interval_n_p_and_label(finished):
    results = Results(*finished)
    rows = {row[0]: row for row in paper_tables(results)[1].rows if row[1:3] == ["final", "score"]}
    verdict = results.verdict("primary")
    row = rows["Blue over Red"]
    assert row[3] == f"+{verdict.result.mean:.1f} points"
    assert row[4] == f"[+{verdict.result.low:.1f}, +{verdict.result.high:.1f}]"
    assert row[5:] == [str(verdict.result.n), f"{verdict.p:.3f}", verdict.title]


def test_latex_has_paragraphs_references_and_a_document(folder, tmp_path, capsys):
    words = ["--export", "latex", str(tmp_path / "paper"), "--out", str(folder)]
    assert run_study.main(words) == 0
    assert "6 files in" in capsys.readouterr().out
    methods = (tmp_path / "paper" / "methods.tex").read_text()
    assert "Red lr in [0.001 to 1]" in methods
    assert "by 5 quasi-random points" in methods
    assert "7 fresh seeds" in methods
    assert "{" not in methods.replace(r"\_", "").replace("{}", "")
    bib = (tmp_path / "paper" / "moco-study.bib").read_text()
    assert re.search(r"version = \{\d+\.\d+\.\d+\}", bib)
    document = (tmp_path / "paper" / "example.tex").read_text()
    assert r"\input{final.tex}" in document
    if shutil.which("pdflatex"):
        tex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "example.tex"]
        assert subprocess.run(tex, cwd=tmp_path / "paper").returncode == 0


def test_braces_and_backslashes_of_names_are_escaped():
    assert escape("a_b & 5 % {x} \\ −1 <b>") == (
        r"a\_b \& 5 \% \{x\} \textbackslash{} $-$1 \textless{}b\textgreater{}"
    )


def test_csv_is_read_again_with_ascii_numbers(folder, tmp_path, finished):
    export_study(folder, "csv", tmp_path / "csv")
    with open(tmp_path / "csv" / "values.csv") as file:
        rows = list(csv.DictReader(file))
    blue = [float(row["value"]) for row in rows if (row["arm"], row["metric"]) == ("Blue", "score")]
    found = next(one for one in Results(*finished).arms if one.arm.name == "blue")
    assert blue == list(found.by_unit.values())
    assert "−" not in (tmp_path / "csv" / "claims.csv").read_text()


def test_every_figure_is_written_as_svg_and_pdf_the_same_each_time(folder, tmp_path):
    first = export_study(folder, "svg", tmp_path / "one").paths
    again = export_study(folder, "svg", tmp_path / "two").paths
    names = {path.name for path in first}
    assert {"final-level.svg", "final-level.pdf", "rate-blue.svg"} <= names
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert (tmp_path / "one" / "final-level.pdf").read_bytes().startswith(b"%PDF")
    assert "241" in (tmp_path / "one" / "final-level.svg").read_text()[:900]  # points, 85 mm


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--export", "word", "x"], "--export must be one of latex, csv, svg; got 'word'"),
        (["--export", "csv", "x", "--report"], "--report goes with none of --export"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence(folder, words, sentence, capsys):
    assert run_study.main([*words, "--out", str(folder)]) == 2
    assert sentence in capsys.readouterr().err
