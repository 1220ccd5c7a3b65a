"""python -m moco: one run without a study, resumable, with a sentence for every mistake."""

import json
import re
from dataclasses import fields

import pytest

from moco import __main__, cli
from moco.config import Config

SMALL = [
    "--width",
    "0.0625",
    "--epochs",
    "3",
    "--queue-size",
    "32",
    "--batch-size",
    "16",
    "--train-images",
    "100",
    "--probe-epochs",
    "5",
    "--image-size",
    "8",
]


@pytest.fixture
def run(tmp_path, capsys):
    """A function of the command's words: exit code, what was printed, what was complained of."""

    def run_words(*words):
        code = __main__.main(["--data-dir", str(tmp_path / "data"), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run_words


def test_help_names_every_field_with_its_meaning_and_default():
    text = " ".join(cli.parser().format_help().split())
    for field in fields(Config):
        assert f"--{field.name.replace('_', '-')} VALUE" in text
        assert f"(default: {field.default if field.default != '' else 'none'})" in text


def test_a_run_prints_a_line_an_epoch_and_leaves_its_results(run, tmp_path):
    code, out, _ = run(*SMALL, "--out", str(tmp_path / "run"))
    assert code == 0
    assert len(re.findall(r"^epoch \d/3  loss", out, re.MULTILINE)) == 3
    for said in ("64 features", "Optimizer: sgd, lr 0.03, weight decay 0.0001 (L2, on all parameters)", "linear probe", "kNN", "on the projections"):
        assert said.replace("64 features", "32 features") in out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    tables = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert sum(sum(row) for row in tables["confusion"]) == 280
    assert result["probe_accuracy"] == pytest.approx(sum(row[i] for i, row in enumerate(tables["confusion"])) / 280)
    assert len((tmp_path / "run" / "epochs.jsonl").read_text().splitlines()) == 3


def test_it_stops_after_an_epoch_of_the_schedule_and_goes_on_to_the_same_result(run, tmp_path):
    whole = run(*SMALL, "--out", str(tmp_path / "whole"))
    code, out, _ = run(*SMALL, "--out", str(tmp_path / "parts"), "--until", "1")
    assert (code, "linear probe" in out) == (0, False)
    assert run(*SMALL, "--out", str(tmp_path / "parts"))[0] == whole[0] == 0
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "parts")]
    assert results[0] == results[1]


def test_a_probe_alone_of_the_weights_that_a_run_left(run, tmp_path):
    run(*SMALL, "--out", str(tmp_path / "run"))
    weights = str(tmp_path / "run" / "encoder.pt")
    code, out, _ = run(*SMALL, "--method", "frozen", "--weights", weights, "--out", str(tmp_path / "probe"))
    assert code == 0
    assert "epoch" not in out
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("run", "probe")]
    for name in ("probe_accuracy", "knn_accuracy", "effective_rank"):
        assert results[0][name] == results[1][name]


def test_the_folder_of_another_run_is_refused_with_the_difference(run, tmp_path):
    run(*SMALL, "--out", str(tmp_path / "run"), "--until", "1")
    code, _, err = run(*SMALL, "--out", str(tmp_path / "run"), "--lr", "0.1")
    assert code == 2
    assert "holds one with lr 0.03, not 0.1" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--epochs", "many"], "--epochs must be a whole number; got 'many'"),
        (["--lr", "nan"], "lr must be a number; got nan"),
        (["--dataset", "nowhere"], "dataset must be one of digits"),
        (["--weights", "nowhere.pt"], "weights must name a file; nowhere.pt cannot be read"),
        (["--batch_size=30"], "batch_size must be a multiple of batch_norm_splits"),
        (["--optimizer", "newton"], "optimizer must be one of sgd"),
        (["--device", "cuda"], "device cuda is not on this machine"),
        (["--views", "none"], "views must be auto or one of"),
        (["--pretrain-split", "extra"], "pretrain_split of digits must be one of train; got 'extra'"),
    ],
)
def test_a_mistake_ends_with_code_2_and_one_sentence(run, words, sentence):
    code, _, err = run(*SMALL, *words)
    assert code == 2
    assert sentence in err
    assert len(err.splitlines()) == 1
