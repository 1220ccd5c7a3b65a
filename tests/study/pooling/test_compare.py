"""Studies side by side: effects by study, a pooled one with its formula, and refusals."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from report.test_page import write_study
from scipy import stats

import run_study
from study.judging.judge import judge_runs
from study.options import Options
from study.pooling.page import compare_studies
from study.pooling.random_effects import pool_effects


def judged(folder, name, gain, seed, higher=None, **columns):
    """A judged table of two arms."""
    draws = np.random.default_rng(seed)
    rows = [
        {"optimizer": arm, "seed": s, "accuracy": 0.8 + more + 0.003 * draws.standard_normal()}
        for arm, more in (("sgd", 0.0), ("adam", gain))
        for s in range(8)
    ]
    frame = pd.DataFrame(rows).rename(columns=columns)
    frame.to_csv(folder / f"{name}.csv", index=False)
    out = folder / name
    table = str(folder / f"{name}.csv")
    judge_runs(Options(judge=table, reference="sgd", out=str(out), higher=higher))
    return str(out)


@pytest.fixture
def three(tmp_path):
    return [judged(tmp_path, f"lab{k}", 0.01 + 0.002 * k, k) for k in range(3)]


def test_the_pooled_effect_is_that_of_the_formulas_written_plainly():
    y, se = [1.2, 0.4, 2.0, 0.9], [0.3, 0.2, 0.5, 0.4]
    w = [1 / s**2 for s in se]
    fixed = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w)
    q = sum(a * (b - fixed) ** 2 for a, b in zip(w, y, strict=True))
    tau2 = max(0.0, (q - 3) / (sum(w) - sum(a * a for a in w) / sum(w)))
    v = [1 / (s**2 + tau2) for s in se]
    mean = sum(a * b for a, b in zip(v, y, strict=True)) / sum(v)
    spread = sum(a * (b - mean) ** 2 for a, b in zip(v, y, strict=True)) / 3
    half = stats.t.ppf(0.975, 3) * math.sqrt(max(1.0, spread) / sum(v))
    found = pool_effects(y, se)
    assert (found.mean, found.low, found.high) == pytest.approx((mean, mean - half, mean + half))
    assert found.tau == pytest.approx(math.sqrt(tau2))


def test_pooled_intervals_cover_the_mean_of_few_studies():
    """Of 4,000 sets of 3 to 6 studies with true effects around 1, at least 93 % cover it."""
    draws, hits, sets = np.random.default_rng(0), 0, 4000
    for k in range(sets):
        count, error = 3 + k % 4, draws.uniform(0.1, 0.6, 3 + k % 4)
        effects = 1 + 0.5 * draws.standard_normal(count) + error * draws.standard_normal(count)
        found = pool_effects(effects, error)
        hits += found.low <= 1 <= found.high
    assert hits / sets >= 0.93, hits


def test_three_studies_stand_on_one_page_with_their_effects(three, tmp_path):
    page, words = compare_studies(three, tmp_path / "out")
    text = page.read_text()
    data = json.loads((tmp_path / "out" / "comparison.json").read_text())
    (adam,) = data["arms"]
    assert [one["study"] for one in adam["studies"]] == ["lab0", "lab1", "lab2"]
    assert adam["pooled"]["studies"] == 3
    means = [one["mean"] for one in adam["studies"]]
    assert min(means) < adam["pooled"]["mean"] < max(means)
    assert words in text
    assert "adam against sgd over 3 studies: +" in words
    assert "DerSimonian and Laird" in text
    assert 'class="ci study-1"' in text
    assert 'class="ci pooled"' in text
    assert '<th scope="row">data<td>lab0.csv<td>lab1.csv<td>lab2.csv' in text
    assert compare_studies(three, tmp_path / "again")[0].read_text() == text


def test_studies_of_the_same_runs_are_shown_and_not_pooled(finished, tmp_path):
    folders = [str(write_study(tmp_path / name, *finished)) for name in ("here", "there")]
    page, words = compare_studies(folders, tmp_path / "out")
    assert words.startswith("Blue against Red: +")
    count = len(finished[1])
    assert f"Nothing is pooled: here and there have {count} runs of the same settings and" in (
        page.read_text()
    )
    assert json.loads((page.parent / "comparison.json").read_text())["arms"][0]["pooled"] is None


def test_tables_that_share_most_of_their_rows_are_not_pooled(tmp_path):
    folders = [judged(tmp_path, "one", 0.01, 1), judged(tmp_path, "two", 0.01, 1)]
    more = tmp_path / "two.csv"
    more.write_text(more.read_text() + "adam,8,0.81\nsgd,8,0.8\n")
    out = str(tmp_path / "three")
    judge_runs(Options(judge=str(more), reference="sgd", out=out))
    page, _ = compare_studies([folders[0], out], tmp_path / "out")
    assert "have 16 runs of the same settings and seeds" in page.read_text()


def test_an_error_that_all_studies_share_does_not_shrink_with_their_number():
    apart = pool_effects([1.0] * 9, [0.1] * 9)
    shared = pool_effects([1.0] * 9, [0.1] * 9, common=0.5)
    assert apart.high - apart.mean < 0.1
    assert shared.high - shared.mean > 0.5 * stats.norm.ppf(0.975)


def test_two_runs_of_an_arm_have_no_interval_in_the_table(tmp_path):
    for k in (1, 2):
        rows = [
            {"optimizer": arm, "accuracy": 0.8 + gain + run / 100 + k / 1000}
            for arm, gain in (("sgd", 0.0), ("adam", 0.02))
            for run in range(2)
        ]
        pd.DataFrame(rows).to_csv(tmp_path / f"{k}.csv", index=False)
        table = str(tmp_path / f"{k}.csv")
        judge_runs(Options(judge=table, by="none", reference="sgd", out=str(tmp_path / f"o{k}")))
    page, _ = compare_studies([str(tmp_path / "o1"), str(tmp_path / "o2")], tmp_path / "out")
    data = json.loads((page.parent / "comparison.json").read_text())
    sd = math.sqrt(2) * 100 * np.std([0.0, 0.01], ddof=1)
    assert data["arms"][0]["studies"][0]["error"] == pytest.approx(sd / math.sqrt(2))
    assert "<td>2<td>+2.0<td>–<td>" in page.read_text()


def test_a_changed_folder_is_flagged(three, tmp_path):
    path = tmp_path / "lab1" / "records.jsonl"
    text = path.read_text()
    path.write_text(text.replace('"result": {"accuracy": 0.8', '"result": {"accuracy": 0.9', 1))
    page, _ = compare_studies(three, tmp_path / "out")
    assert "lab1: Line 1 of records.jsonl was changed after it was written" in page.read_text()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: [judged(path, "one", 0.01, 1)], "--compare takes the folders of two or more"),
        (
            lambda path: [
                judged(path, "one", 0.01, 1),
                judged(path, "two", 0.01, 1, accuracy="test_acc"),
            ],
            "must have one primary metric; it is accuracy in one and test acc in two",
        ),
        (
            lambda path: [judged(path, "one", 0.01, 1), judged(path, "two", 0.01, 1, higher=False)],
            "must have one better side; it is higher in one and lower in two",
        ),
        (lambda path: [judged(path, "one", 0.01, 1), str(path / "none")], "holds no study"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(tmp_path, capsys, make, sentence):
    folders = make(tmp_path)
    capsys.readouterr()
    assert run_study.main(["--compare", *folders, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("change", ["few", "renamed"])
def test_runs_are_the_same_by_their_digits_whatever_their_seeds(tmp_path, change):
    one = judged(tmp_path, "one", 0.01, 1)
    table = pd.read_csv(tmp_path / "one.csv")
    if change == "few":
        other = pd.read_csv(judged(tmp_path, "two", 0.01, 2) + ".csv")
        table = pd.concat([table[table["seed"] < 2], other[other["seed"] >= 2]])
    else:
        table["seed"] = [f"s{seed}" for seed in table["seed"]]
    table.to_csv(tmp_path / "three.csv", index=False)
    out = str(tmp_path / "three")
    judge_runs(Options(judge=str(tmp_path / "three.csv"), reference="sgd", out=out))
    page, _ = compare_studies([one, out], tmp_path / "out")
    assert "runs of the same settings and seeds" in page.read_text()


def test_a_study_is_no_place_for_a_comparison(three, capsys):
    assert run_study.main(["--compare", *three, "--out", three[0]]) == 2
    assert "--compare must write to a folder of its own" in capsys.readouterr().err
