"""Runs of other tools, made by these tools, are judged as scipy computes it; nulls are not claimed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import run_study
from study.analysis.results import Results
from study.errors import StudyError
from study.judging.columns import choose_columns
from study.judging.judge import given_plan, given_records, judge_runs
from study.judging.select_runs import select_runs
from study.judging.tables import RunTable, read_runs
from study.options import Options
from study.saved import Study

ROOT = Path(__file__).parents[3]
ARMS = ("sgd", "adam", "rmsprop")
SEEDS = range(3, 13)


def truth():
    """Accuracies by arm, ten seeds each: adam is a point better, rmsprop is level."""
    draws = np.random.default_rng(7)
    shared = 0.8 + 0.01 * draws.standard_normal(len(SEEDS))
    gains = {"sgd": 0.0, "adam": 0.012, "rmsprop": 0.0003}
    return {arm: shared + gains[arm] + 0.002 * draws.standard_normal(len(SEEDS)) for arm in ARMS}


def rows(values):
    return [
        {"optimizer": arm, "seed": seed, "accuracy": float(value)}
        for arm in ARMS
        for seed, value in zip(SEEDS, values[arm], strict=True)
    ]


def write_csv(folder, values):
    pd.DataFrame(rows(values)).to_csv(folder / "runs.csv", index=False)
    return str(folder / "runs.csv")


def write_optuna(folder, values):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    address = f"sqlite:///{folder}/optuna.db"
    study = optuna.create_study(storage=address, study_name="mine", direction="maximize")
    for row in rows(values):
        study.enqueue_trial({"optimizer": row["optimizer"]}, user_attrs={"seed": row["seed"]})

        def objective(trial, value=row["accuracy"]):
            trial.suggest_categorical("optimizer", ARMS)
            return value

        study.optimize(objective, n_trials=1)
    return address


def write_mlflow(folder, values):
    import mlflow
    from mlflow.tracking import MlflowClient

    address = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(tracking_uri=address)
    experiment = client.create_experiment("mine", artifact_location=str(folder))
    for row in rows(values):
        run = client.create_run(experiment).info.run_id
        client.log_param(run, "optimizer", row["optimizer"])
        client.log_param(run, "seed", row["seed"])
        client.log_metric(run, "accuracy", 0.1, step=0)
        client.log_metric(run, "accuracy", row["accuracy"], step=1)
        client.set_terminated(run)
    assert mlflow
    return address


def write_tensorboard(folder, values):
    from tensorboardX import SummaryWriter

    for row in rows(values):
        place = folder / "events" / f"optimizer={row['optimizer']},seed={row['seed']}"
        with SummaryWriter(str(place)) as writer:
            for step, value in enumerate((0.2, row["accuracy"])):
                writer.add_scalar("accuracy", value, step)
    return str(folder / "events")


WRITERS = {
    "csv": (write_csv, 1e-9),
    "optuna": (write_optuna, 1e-9),
    "mlflow": (write_mlflow, 1e-9),
    "tensorboard": (write_tensorboard, 1e-9),
}


def judged(source, tmp_path, **options):
    """The study of a judgement."""
    judge_runs(Options(judge=source, out=str(tmp_path / "out"), **options))
    return Study.open(tmp_path / "out")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore")  # of the tools that write
def test_runs_of_each_tool_have_the_labels_and_intervals_of_scipy(name, tmp_path):
    write, near = WRITERS[name]
    values = truth()
    if name == "tensorboard":  # keeps single precision
        values = {arm: np.float32(own).astype(float) for arm, own in values.items()}
    source = write(tmp_path, values)
    metric = "value" if name == "optuna" else "accuracy"
    study = judged(
        source, tmp_path, compare=("optimizer",), reference="sgd", by="seed", metric=metric,
        higher=True,
    )  # fmt: skip
    scale = study.results.plan.space.primary.scale
    verdicts = study.verdicts
    level = "equivalent" if scale == 100 else "undecided"  # without a smallest difference none is
    for arm, label in (("adam", "supported"), ("rmsprop", level)):
        found = verdicts.loc[f"{arm}-over-sgd"]
        differences = scale * (values[arm] - values["sgd"])
        t = stats.ttest_1samp(differences, 0.0).confidence_interval(0.975)
        assert found["mean"] == pytest.approx(differences.mean(), abs=near)
        assert (found["low"], found["high"]) == pytest.approx((t.low, t.high), abs=near)
        assert found["n"] == len(SEEDS)
        assert found["label"] == label
    best = study.results.arms[0]
    assert (best.arm.title, best.mean) == ("adam", pytest.approx(scale * values["adam"].mean()))


def test_runs_without_common_seeds_are_compared_by_welch(tmp_path):
    values = truth()
    frame = pd.DataFrame(rows(values)).query("optimizer != 'rmsprop'").drop(columns="seed")
    frame.iloc[:-3].to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, compare=("optimizer",), reference="sgd")
    (found,) = study.results.verdicts
    ours, theirs = 100 * values["adam"][:-3], 100 * values["sgd"]
    test = stats.ttest_ind(ours, theirs, equal_var=False)
    low, high = test.confidence_interval(0.95)
    assert (found.result.low, found.result.high) == pytest.approx((low, high), abs=1e-9)
    assert found.p == pytest.approx(test.pvalue, abs=1e-12)
    assert found.result.counts == (7, 10)
    page = study.report.read_text()
    assert "95 % Welch interval, n = 7 and 10 runs, unpaired" in page
    assert "on the same seeds" not in page


def test_what_the_file_does_not_say_is_unknown_and_keeps_the_label_unverified(tmp_path):
    study = judged(write_csv(tmp_path, truth()), tmp_path, reference="sgd")
    found = study.results.verdicts[0]
    assert {gate.name: gate.state for gate in found.gates} == {
        "Seeds": "passed",
        "Stability": "passed",
        "Budget": "unknown",
        "Splits": "unknown",
        "Task": "unknown",
        "Named first": "unknown",
    }
    assert (found.label, found.title) == ("supported", "Supported, unverified")
    data = json.loads((study.folder / "verdict.json").read_text())
    assert data["claims"][0]["verified"] is False
    assert "Supported, unverified" in study.report.read_text()


def test_missing_doubled_and_non_finite_rows_are_counted_and_named(tmp_path):
    frame = pd.DataFrame(rows(truth()))
    frame.loc[1, "accuracy"] = np.inf
    frame.loc[4, "seed"] = np.nan
    frame = pd.concat([frame, frame.iloc[[7]]], ignore_index=True)
    frame.to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    page = study.report.read_text()
    assert "1 row without seed do not count: row 5." in page
    assert "1 row that repeat another one do not count: row 31." in page
    assert "1 run have no finite accuracy: row 2." in page
    reasons = {gate.name: gate.reason for gate in study.results.verdicts[0].failed_gates}
    assert reasons["Seeds"] == "8 seeds in both arms, 2 in one only: seeds 4 and 7"
    assert reasons["Stability"].startswith("1 of 9 runs of sgd without a finite number")


def test_runs_that_did_not_finish_are_counted_by_their_state(tmp_path):
    frame = pd.DataFrame(rows(truth())).assign(State="finished")
    frame.loc[2, "State"] = "crashed"
    frame.to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert "1 run did not finish: row 3." in study.report.read_text()
    assert study.results.verdicts[0].label == "untestable"


def test_of_a_history_the_last_step_counts(tmp_path):
    frame = pd.DataFrame([{**row, "epoch": 9} for row in rows(truth())])
    early = frame.assign(epoch=1, accuracy=0.1)
    pd.concat([frame, early]).to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert "Of each run the last row counts, at epoch 9." in study.report.read_text()
    assert study.results.arms[0].mean == pytest.approx(100 * truth()["adam"].mean())


def test_other_columns_in_which_the_arms_differ_are_named(tmp_path):
    frame = pd.DataFrame([{**row, "lr": len(row["optimizer"]) / 100} for row in rows(truth())])
    frame.to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert "the optimizers also differ in lr (0.03 for sgd, 0.04 for adam and 0.07 for" in (
        study.report.read_text()
    )


def test_the_records_of_a_study_can_be_judged(finished, tmp_path):
    from report.test_page import write_study

    folder = write_study(tmp_path / "toy", *finished)
    study = judged(
        str(folder / "records.jsonl"), tmp_path, compare=("arm",), reference="red", by="seed",
        metric="score", stage="final",
    )  # fmt: skip
    first = Results(*finished).verdict("primary").result
    found = next(one for one in study.results.verdicts if one.claim.better == "blue")
    assert 100 * found.result.mean == pytest.approx(first.mean)
    assert "of others do not count" in study.report.read_text()


@pytest.mark.parametrize(
    ("change", "words", "sentence"),
    [
        (None, ["--judge", "nowhere.csv"], "--judge must name runs; nowhere.csv is not there"),
        (None, ["--judge", "runs.txt"], "--judge takes a file that ends in .csv"),
        (None, ["--judge", "sqlite:///no.db"], "the database no.db is not there"),
        ("runs", ["--compare", "method"], "--compare must name one column of optimizer, seed, acc"),
        ("runs", ["--metric", "loss"], "--metric must name one column of"),
        ("runs", ["--reference", "lion"], "--reference must be one of sgd, adam, rmsprop; got"),
        ("runs", ["--compare", "accuracy", "--metric", "seed", "--by", "none"], "every row of accuracy has one of"),
        ("runs", ["--stage", "final"], "--stage needs a column named stage, split or phase"),
        ("runs", ["--delta", "-1"], "--delta must be 0 or more"),
        ("runs", ["--compare", "optimizer", "seed"], "--compare takes one column with --judge"),
        ("empty", [], "runs.csv holds none"),
        ("conflict", [], "adam, seed 5 has several with different accuracy: row 13, 31"),
        ("words", [], "--metric must name a column of numbers, one of optimizer, seed, acc"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_a_sentence(
    tmp_path, monkeypatch, capsys, change, words, sentence
):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(rows(truth()))
    if change == "empty":
        frame = frame.iloc[:0]
    if change == "conflict":
        frame = pd.concat([frame, frame.iloc[[12]].assign(accuracy=0.5)], ignore_index=True)
    if change == "words":
        frame = frame.assign(accuracy="good")
    frame.to_csv("runs.csv", index=False)
    judge = [] if "--judge" in words else ["--judge", "runs.csv"]
    assert run_study.main([*judge, *words, "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_options_of_a_judgement_need_runs(capsys):
    assert run_study.main(["--space", "optimizers", "--metric", "loss"]) == 2
    assert "are for runs that --judge names" in capsys.readouterr().err


def test_a_judgement_loads_neither_torch_nor_ray(tmp_path):
    source = write_csv(tmp_path, truth())
    code = (
        f"import sys, run_study; run_study.main(['--judge', {source!r}, '--out', {str(tmp_path / 'o')!r}]); "
        "print([name for name in ('torch', 'ray', 'moco.config') if name in sys.modules])"
    )
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert child.stdout.endswith("[]\n"), child.stdout + child.stderr


def test_the_same_command_draws_the_same_page_and_other_runs_are_refused(tmp_path):
    source = write_csv(tmp_path, truth())
    first = judged(source, tmp_path).report.read_bytes()
    assert judged(source, tmp_path).report.read_bytes() == first
    changed = truth()
    changed["sgd"][0] = 0.5
    write_csv(tmp_path, changed)
    with pytest.raises(StudyError, match=r"another plan.*data\.fingerprint was"):
        judged(source, tmp_path)


def test_names_that_would_style_the_page_or_break_it_are_only_names(tmp_path):
    names = ("</style><script>alert(1)</script>", "panel", "10", "Änderung & Co", "panel!")
    frame = pd.DataFrame(
        [{"optimizer": n, "seed": s, "accuracy": 0.5 + 0.01 * s} for n in names for s in range(6)]
    )
    frame.to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path)
    page = study.report.read_text()
    assert "<script>alert" not in page
    arms = [arm.name for arm in study.results.plan.space.arms]
    assert len(set(arms)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", arm) for arm in arms)
    assert "panel" not in arms


def null_verdicts(draws, arms, seeds, paired):
    """Labels of a table whose arms do not differ."""
    shared = draws.standard_normal(seeds) if paired else np.zeros(seeds)
    frame = pd.DataFrame(
        [
            {"optimizer": f"o{arm}", "seed": seed if paired else 100 * arm + seed, "value": v}
            for arm in range(arms)
            for seed, v in enumerate(shared + draws.standard_normal(seeds))
        ]
    )
    table = RunTable(frame, "a table", "0" * 64)
    columns = choose_columns(frame, compare="optimizer", by="seed", metric="value")
    selected = select_runs(table, columns, None)
    plan = given_plan("null.csv", table, columns, selected, Options(judge="null.csv", higher=True))
    results = Results(plan, given_records(plan, selected.runs))
    labels = [verdict.label for verdict in results.verdicts]
    ranking = results.ranking
    return labels, bool(ranking and ranking.worse)


@pytest.mark.parametrize(("arms", "paired"), [(2, True), (2, False), (4, True), (4, False)])
def test_of_null_files_at_most_one_in_twenty_is_claimed(arms, paired):
    """Four times 500 files: together the 2,000 of the promise."""
    draws, files = np.random.default_rng(arms + paired), 500
    found = [null_verdicts(draws, arms, seeds=8 + k % 5, paired=paired) for k in range(files)]
    claimed = sum(bool({"supported", "small", "contradicted"} & set(labels)) for labels, _ in found)
    ranked = sum(is_ranked for _, is_ranked in found)
    most = 0.05 + 2 * np.sqrt(0.05 * 0.95 / files)
    assert claimed / files <= most, claimed
    assert ranked / files <= most, ranked


def test_a_nested_export_and_parquet_are_read(tmp_path):
    nested = [
        {
            "config": {"optimizer": r["optimizer"], "seed": r["seed"]},
            "summary": {"acc": r["accuracy"]},
        }
        for r in rows(truth())
    ]
    (tmp_path / "runs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in nested))
    frame = read_runs(str(tmp_path / "runs.jsonl")).frame
    assert list(frame.columns) == ["config.optimizer", "config.seed", "summary.acc"]
    study = judged(str(tmp_path / "runs.jsonl"), tmp_path, reference="sgd")
    assert study.results.plan.space.primary.title == "acc"
    pd.DataFrame(rows(truth())).to_parquet(tmp_path / "runs.parquet")
    assert len(read_runs(str(tmp_path / "runs.parquet")).frame) == 30


def test_hyperparameters_of_event_files_are_columns(tmp_path):
    from tensorboardX import SummaryWriter

    for seed in range(2):
        with SummaryWriter(str(tmp_path / f"run{seed}")) as writer:
            writer.add_hparams({"lr": 0.1, "seed": seed, "kind": "a"}, {"score": seed + 0.5}, "h")
    frame = read_runs(str(tmp_path)).frame
    assert frame["lr"].tolist() == [0.1, 0.1]
    assert frame["kind"].tolist() == ["a", "a"]
    assert sorted(frame["score"]) == [0.5, 1.5]


def test_a_smallest_difference_makes_a_gain_small(tmp_path):
    study = judged(write_csv(tmp_path, truth()), tmp_path, reference="sgd", delta=5.0)
    found = next(one for one in study.results.verdicts if one.claim.better == "adam")
    assert (found.label, found.delta) == ("small", 5.0)


def test_files_that_only_look_like_something_else_end_in_a_sentence(tmp_path, monkeypatch, capsys):
    import sqlite3

    monkeypatch.chdir(tmp_path)
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "a.tfevents.1").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "damaged.db").write_bytes(b"no database" * 100)
    other = sqlite3.connect("other.db")
    other.execute("create table x(a)")
    other.close()
    (tmp_path / "latin.csv").write_bytes("optimizer,accuracy\nä,1\n".encode("latin-1"))
    for source, sentence in (
        ("events", "--judge must name runs; events holds none"),
        ("sqlite:///damaged.db", "must name a database that can be opened"),
        ("sqlite:///other.db", "must name a database of MLflow or Optuna"),
        (
            "mysql://me:secret@host/x",
            "must name a database that can be opened; mysql://me:***@host",
        ),
        ("latin.csv", "must be a table of runs in UTF-8"),
    ):
        assert run_study.main(["--judge", source, "--out", "out"]) == 2
        error = capsys.readouterr().err
        assert sentence in error
        assert "secret" not in error


def test_percent_signs_and_utf_16_are_read(tmp_path):
    frame = pd.DataFrame(rows(truth()))
    frame["accuracy"] = [f"{100 * value:.6f} %" for value in frame["accuracy"]]
    (tmp_path / "runs.csv").write_bytes(frame.to_csv(index=False).encode("utf-16"))
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert study.results.arms[0].mean == pytest.approx(100 * truth()["adam"].mean(), abs=1e-5)
