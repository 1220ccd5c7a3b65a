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
from study.judging.columns import choose_columns, is_lower_better, share_scale
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
    assert "1 row without seed: not counted, row 5." in page
    assert "1 copy of another row: not counted, row 31." in page
    assert "1 run without a finite accuracy: row 2." in page
    reasons = {gate.name: gate.reason for gate in study.results.verdicts[0].failed_gates}
    assert reasons["Seeds"] == "8 seeds in both arms, 2 in one only: seeds 4 and 7"
    assert reasons["Stability"].startswith("1 of 9 runs of sgd without a finite number")


def test_runs_that_did_not_finish_are_counted_by_their_state(tmp_path):
    frame = pd.DataFrame(rows(truth())).assign(State="finished")
    frame.loc[2, "State"] = "crashed"
    frame.to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert "1 run not finished: row 3." in study.report.read_text()
    assert study.results.verdicts[0].label == "untestable"


def test_of_a_history_the_last_step_counts(tmp_path):
    frame = pd.DataFrame([{**row, "epoch": 9} for row in rows(truth())])
    early = frame.assign(epoch=1, accuracy=0.1)
    pd.concat([frame, early]).to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert "Of each run the last row with a number counts, at epoch 9." in study.report.read_text()
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
    assert "of others do not." in study.report.read_text()


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


def test_percent_signs_and_utf_16_are_read(tmp_path):
    frame = pd.DataFrame(rows(truth()))
    frame["accuracy"] = [f"{100 * value:.6f} %" for value in frame["accuracy"]]
    (tmp_path / "runs.csv").write_bytes(frame.to_csv(index=False).encode("utf-16"))
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert study.results.arms[0].mean == pytest.approx(100 * truth()["adam"].mean(), abs=1e-5)


def history(values, epochs=(1, 5), **columns):
    """A row a run and epoch; only the last holds the truth."""
    last = max(epochs)
    return pd.DataFrame(
        [
            {
                **row,
                "epoch": epoch,
                "accuracy": row["accuracy"] if epoch == last else 0.1,
                **columns,
            }
            for row in rows(values)
            for epoch in epochs
        ]
    )


def test_a_history_without_seeds_counts_runs_and_not_rows(tmp_path, capsys):
    frame = history(truth())
    frame["run"] = frame["optimizer"] + frame["seed"].astype(str)
    frame.drop(columns="seed").to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert study.results.verdicts[0].result.counts == (10, 10)
    frame.drop(columns=["seed", "run"]).to_csv(tmp_path / "bare.csv", index=False)
    assert run_study.main(["--judge", str(tmp_path / "bare.csv"), "--out", "x"]) == 2
    assert "name the column that tells runs apart with --by" in capsys.readouterr().err


def test_the_last_row_that_has_the_metric_counts_and_runs_that_end_apart_are_named(tmp_path):
    frame = history(truth(), epochs=(2, 10))
    gap = frame[frame["epoch"] == 10].assign(epoch=11, accuracy=np.nan)
    short = (frame["seed"] == 3) & (frame["optimizer"] == "adam") & (frame["epoch"] == 10)
    pd.concat([frame[~short], gap]).to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    gates = {gate.name: gate.reason for gate in study.results.verdicts[0].gates}
    assert "also differ in the epoch at which runs end (2 to 10)" in gates["Task"]
    assert gates["Stability"] == "all 20 runs have a finite number"


def test_a_restart_that_finished_counts_in_place_of_the_crash(tmp_path):
    frame = pd.DataFrame(rows(truth())).assign(status="FINISHED")
    crash = frame.iloc[[0, 11]].assign(status="crashed", accuracy=0.2)
    pd.concat([crash, frame]).to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert "2 rows of runs that finished in another row: rows 1, 2." in study.report.read_text()
    assert {one.label for one in study.results.verdicts} == {"supported", "equivalent"}


def test_two_last_rows_with_different_numbers_are_refused(tmp_path, capsys):
    frame = history(truth())
    tie = frame[frame["epoch"] == 5].iloc[[0]].assign(accuracy=0.99)
    pd.concat([frame, tie]).to_csv(tmp_path / "runs.csv", index=False)
    assert run_study.main(["--judge", str(tmp_path / "runs.csv"), "--out", "x"]) == 2
    assert "several with different accuracy" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_the_direction_of_an_optuna_study_is_taken(tmp_path):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    address = f"sqlite:///{tmp_path}/min.db"
    study = optuna.create_study(storage=address)  # minimizes
    for row in rows(truth()):
        study.enqueue_trial({"optimizer": row["optimizer"]}, user_attrs={"seed": row["seed"]})

        def objective(trial, value=row["accuracy"]):
            trial.suggest_categorical("optimizer", ARMS)
            return value

        study.optimize(objective, n_trials=1)
    found = judged(address, tmp_path, compare=("optimizer",), reference="sgd")
    assert not found.results.plan.space.primary.higher_is_better
    assert found.verdicts.loc["adam-over-sgd", "label"] == "contradicted"


@pytest.mark.parametrize(
    ("name", "lower", "share"),
    [
        ("answer_accuracy", False, True),
        ("power", False, False),
        ("ferry_score", False, False),
        ("val_loss", True, False),
        ("errorRate", True, False),
        ("val_accuracy_loss", True, False),
        ("latency_ms", True, False),
        ("top-1", False, True),
    ],
)
def test_the_better_side_follows_whole_words_of_the_name(name, lower, share):
    assert is_lower_better(name) is lower
    assert (share_scale(name, [0.5]) == 100) is (share or name == "val_accuracy_loss")


def test_an_arm_that_lacks_seeds_is_in_no_ranking_and_one_named_none_is_an_arm(tmp_path):
    frame = pd.DataFrame(rows(truth())).replace({"optimizer": {"sgd": "None"}})
    frame = frame[(frame["optimizer"] != "adam") | (frame["seed"] > 4)]
    frame.to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="None")
    assert study.results.ranking.left_out == ("adam",)
    assert [arm.title for arm in study.results.plan.space.arms] == ["None", "adam", "rmsprop"]
    assert "missing or have no result: adam" in study.answer


def test_columns_named_as_anything_are_the_table_s_own(tmp_path):
    frame = pd.DataFrame(rows(truth())).rename(columns={"accuracy": "_row", "seed": "_unit"})
    frame.to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd", metric="_row", by="_unit")
    assert study.results.arms[0].mean == pytest.approx(truth()["adam"].mean())


def test_tiny_numbers_are_shown_and_a_perfect_tie_is_level(tmp_path):
    values = {arm: 1e-12 * own for arm, own in truth().items()}
    study = judged(
        write_csv(tmp_path, values), tmp_path, reference="sgd", metric="accuracy", higher=True
    )
    assert "0.00000" not in study.answer
    same = {arm: np.linspace(1, 2, len(SEEDS)) for arm in ARMS}
    pd.DataFrame(rows(same)).rename(columns={"accuracy": "loss"}).to_csv(
        tmp_path / "t.csv", index=False
    )
    judge_runs(Options(judge=str(tmp_path / "t.csv"), metric="loss", out=str(tmp_path / "tie")))
    assert {one.label for one in Study.open(tmp_path / "tie").results.verdicts} == {"equivalent"}


def test_a_torn_event_file_is_named(tmp_path):
    source = write_tensorboard(tmp_path, truth())
    file = next(Path(source).rglob("*tfevents*"))
    file.write_bytes(file.read_bytes()[:-8])
    study = judged(source, tmp_path, reference="sgd")
    assert "1 event files are torn, and what follows there is not read" in study.report.read_text()


def test_a_judgement_that_lost_lines_is_not_whole_and_is_filled_again(tmp_path, capsys):
    source = write_csv(tmp_path, truth())
    folder = judged(source, tmp_path).folder
    path = folder / "records.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]))
    assert run_study.main(["--report", "--out", str(folder)]) == 0
    assert run_study.main(["--verify", "--out", str(folder)]) == 1
    assert "records.jsonl has 27 lines, and 30 runs were judged" in capsys.readouterr().out
    judged(source, tmp_path)
    assert run_study.main(["--verify", "--out", str(folder)]) == 0


def test_many_differing_columns_are_counted(tmp_path):
    frame = pd.DataFrame(rows(truth()))
    more = {f"c{k}": frame["optimizer"] + str(k) for k in range(40)}
    frame.assign(**more).to_csv(tmp_path / "runs.csv", index=False)
    study = judged(str(tmp_path / "runs.csv"), tmp_path, reference="sgd")
    assert "and 35 more columns; the file does not say why" in study.report.read_text()


def test_without_seeds_the_rows_of_one_run_are_one_run(tmp_path, capsys):
    table = pd.DataFrame(
        {"optimizer": arm, "run": f"{arm}-{run}", "accuracy": 0.8 + gain + run / 500}
        for arm, gain in (("sgd", 0.0), ("adam", 0.03))
        for run in range(4)
        for _copy in range(3)
    )
    table.to_csv(tmp_path / "copies.csv", index=False)
    words = ["--judge", str(tmp_path / "copies.csv"), "--by", "none", "--out", str(tmp_path / "a")]
    assert run_study.main(words) == 0
    assert Study.open(tmp_path / "a").results.verdict("primary").result.counts == (4, 4)
    table["accuracy"] += np.arange(len(table))
    table.to_csv(tmp_path / "rows.csv", index=False)
    words = ["--judge", str(tmp_path / "rows.csv"), "--by", "none", "--out", str(tmp_path / "b")]
    assert run_study.main(words) == 2
    assert "must have one row a run; sgd, run sgd-0 has several" in capsys.readouterr().err


def test_a_column_that_names_the_arm_once_more_tells_no_runs_apart(tmp_path):
    table = pd.DataFrame(rows(truth())).drop(columns="seed").assign(name=lambda t: t["optimizer"])
    table.to_csv(tmp_path / "runs.csv", index=False)
    report = judge_runs(
        Options(judge=str(tmp_path / "runs.csv"), by="none", out=str(tmp_path / "a"))
    )
    assert {len(one.by_unit) for one in Study.open(report.page.parent).results.arms} == {10}


def test_three_unpaired_runs_an_arm_rank_nothing(tmp_path):
    table = pd.DataFrame(
        {"optimizer": arm, "accuracy": 0.8 + gain + run / 5000}
        for arm, gain in (("sgd", 0.0), ("adam", 0.06), ("lion", 0.05))
        for run in range(3)
    )
    table.to_csv(tmp_path / "runs.csv", index=False)
    out = str(tmp_path / "a")
    answer = judge_runs(Options(judge=str(tmp_path / "runs.csv"), by="none", out=out)).answer
    assert "cannot be told apart from it (so few runs cannot tell 3" in answer
    assert "worse" not in answer


def refused(frame, folder, capsys, *words):
    frame.to_csv(folder / "runs.csv", index=False)
    out = str(folder / "out")
    assert run_study.main(["--judge", str(folder / "runs.csv"), "--out", out, *words]) == 2
    return capsys.readouterr().err


def test_shares_and_percents_in_one_column_are_refused(tmp_path, capsys):
    table = pd.DataFrame(rows(truth()))
    table.loc[table["optimizer"] == "adam", "accuracy"] *= 100
    said = refused(table, tmp_path, capsys, "--compare", "optimizer")
    assert re.search(r"must have one unit; that of \w+ lies in .0, 1. and that of adam above", said)


def test_runs_under_further_seeds_are_no_further_runs(tmp_path):
    two = [row for row in rows(truth()) if row["seed"] < 5 and row["optimizer"] != "rmsprop"]
    copies = [{**row, "seed": row["seed"] + 100 * k} for k in range(5) for row in two]
    pd.DataFrame(copies).to_csv(tmp_path / "runs.csv", index=False)
    report = judge_runs(Options(judge=str(tmp_path / "runs.csv"), out=str(tmp_path / "out")))
    assert "10 seeds in both arms, but only 2 different pairs of numbers" in report.answer


def test_three_arms_of_few_common_seeds_say_what_is_missing(tmp_path):
    table = pd.DataFrame(rows(truth()))
    odd = table["seed"] % 2 == 1
    left = table[~(((table["optimizer"] == "sgd") & odd) | ((table["optimizer"] == "adam") & ~odd))]
    left.to_csv(tmp_path / "runs.csv", index=False)
    options = Options(
        judge=str(tmp_path / "runs.csv"), reference="rmsprop", out=str(tmp_path / "o")
    )
    answer = judge_runs(options).answer
    assert answer.startswith("Not testable. 5 seeds in both arms, 5 in one only")
    (claim, _) = json.loads((tmp_path / "o" / "verdict.json").read_text())["claims"]
    assert (claim["label"], claim["verified"]) == ("untestable", False)
