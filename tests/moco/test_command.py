"""python -m moco: one run without a study, resumable, with a sentence for every mistake."""

import json
import re
from dataclasses import fields

import pytest
import torch
from filelock import FileLock

from moco import __main__, command
from moco.config import Config, option_of

SMALL = [
    "--width=0.0625",
    "--epochs=3",
    "--queue-size=32",
    "--batch-size=16",
    "--train-images=100",
    "--probe-epochs=5",
    "--image-size=8",
]


@pytest.fixture
def run(tmp_path, capsys):
    """A function of the command's words: exit code, what was printed, what was complained of."""

    def run_words(*words):
        code = __main__.main(["--data-dir", str(tmp_path / "data"), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run_words


def test_help_names_every_field_with_its_meaning_unit_choices_and_default(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")  # no line is broken
    text = command.build_parser().format_help()
    for field in fields(Config):
        option = option_of(field)
        shown = re.search(rf"{command.flag(field.name)} (?:N|X|NAME)\s+(.*)", text).group(1)
        for part in (option.help, option.unit and f"[{option.unit}]", ", ".join(option.choices)):
            assert part in shown
        assert shown.endswith(f"(default: {'none' if field.default == '' else field.default})")


def test_a_run_prints_a_line_an_epoch_and_leaves_its_results(run, tmp_path):
    code, out, _ = run(*SMALL, "--out", str(tmp_path / "run"))
    assert code == 0
    assert len(re.findall(r"^epoch \d/3  loss", out, re.MULTILINE)) == 3
    for text in (
        "32 features",
        "Optimizer: sgd, lr 0.03, weight decay 0.0001 (L2, on all parameters)",
        "linear probe",
        "kNN",
        "on the projections",
    ):
        assert text in out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    tables = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert sum(sum(row) for row in tables["confusion"]) == 280
    assert result["probe_accuracy"] == pytest.approx(
        sum(row[i] for i, row in enumerate(tables["confusion"])) / 280
    )
    assert len((tmp_path / "run" / "epochs.jsonl").read_text().splitlines()) == 3


def test_it_stops_after_an_epoch_of_the_schedule_and_goes_on_to_the_same_result(run, tmp_path):
    whole = run(*SMALL, "--out", str(tmp_path / "whole"))
    code, out, _ = run(*SMALL, "--out", str(tmp_path / "parts"), "--until", "1")
    assert (code, "linear probe" in out) == (0, False)
    assert run(*SMALL, "--out", str(tmp_path / "parts"))[0] == whole[0] == 0
    results = [
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "parts")
    ]
    assert results[0] == results[1]


def test_a_probe_alone_of_the_weights_that_a_run_left(run, tmp_path):
    run(*SMALL, "--out", str(tmp_path / "run"))
    weights = str(tmp_path / "run" / "encoder.pt")
    code, out, _ = run(
        *SMALL, "--method", "frozen", "--weights", weights, "--out", str(tmp_path / "probe")
    )
    assert code == 0
    assert "epoch" not in out
    results = [
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("run", "probe")
    ]
    for name in ("probe_accuracy", "knn_accuracy"):
        assert results[0][name] == results[1][name]
    # the last digits of a mean depend on the processor and on where its memory lies
    assert results[0]["effective_rank"] == pytest.approx(results[1]["effective_rank"], rel=1e-6)


def test_pixels_have_no_encoder_and_the_words_say_so(run, tmp_path):
    code, out, _ = run(*SMALL, "--method", "pixels", "--out", str(tmp_path / "run"))
    assert code == 0
    assert "Features: the pixels themselves, 64 numbers an image" in out
    assert "Encoder" not in out
    assert "Weights" not in out
    confusion = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert confusion
    assert not (tmp_path / "run" / "encoder.pt").exists()


def test_the_folder_of_another_run_is_refused_with_the_difference(run, tmp_path):
    run(*SMALL, "--out", str(tmp_path / "run"), "--until", "1")
    code, out, err = run(*SMALL, "--out", str(tmp_path / "run"), "--lr", "0.1")
    assert (code, out) == (2, "")
    assert "holds one with lr 0.03, not 0.1" in err


def test_other_images_of_the_same_name_are_another_run(run, tmp_path, make_folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place, size in (("a", (20, 24)), ("b", (24, 20))):
        make_folder(tmp_path / place / "photos", count=40, size=size)
    words = [*SMALL, "--train-images", "0", "--epochs", "1", "--dataset"]
    assert run(*words, "a/photos")[0] == run(*words, "b/photos")[0] == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2
    assert run(*words, "a/photos", "--out", "one")[0] == 0
    code, _, err = run(*words, "b/photos", "--out", "one")
    assert code == 2
    assert "holds one with data" in err


def test_it_says_what_was_done_before_and_what_the_untrained_encoder_is_worth(run, tmp_path):
    words = [*SMALL, "--out", str(tmp_path / "run")]
    first = run(*words, "--until", "1")[1]
    assert re.search(
        r"^epoch 0/3  before training: kNN \d+\.\d% \(validation, 280 images\)$",
        first,
        re.MULTILINE,
    )
    assert "Stopped after epoch 1 of 3" in first
    second = run(*words)[1]
    assert "Continuing after epoch 1 of 3." in second
    assert "epoch 1/3" not in second
    third = run(*words)[1]
    assert "Complete already; nothing is run." in third
    assert "epoch 2/3" not in third
    assert "280 images" in third
    fourth = run(*words, "--until", "1")
    assert (fourth[0], "linear probe" in fourth[1], "Stopped" in fourth[1]) == (0, True, False)
    assert len((tmp_path / "run" / "epochs.jsonl").read_text().splitlines()) == 3


def test_its_lines_of_numbers_are_json_that_any_parser_reads(run, tmp_path):
    run(*SMALL, "--queue-size", "5000", "--out", str(tmp_path / "run"))
    for text in [
        *(tmp_path / "run" / "epochs.jsonl").read_text().splitlines(),
        (tmp_path / "run" / "result.json").read_text(),
    ]:
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_files_of_ones_own_stay_and_two_runs_do_not_share_a_folder(run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.pt.bak").write_text("mine")
    with FileLock(folder / "lock"):
        code, _, err = run(*SMALL, "--out", str(folder))
        assert code == 2
        assert "is being written by another run" in err
    assert run(*SMALL, "--out", str(folder))[0] == 0
    assert (folder / "model.pt.bak").read_text() == "mine"


def test_a_diverged_run_ends_with_a_sentence(run, tmp_path):
    for changes in (
        ["--lr", "1e30"],
        ["--lr", "1e30", "--probe-optimizer", "lbfgs"],
        ["--lr", "1e30", "--method", "supervised"],
    ):
        for _ in range(2):  # and ends so again, from its checkpoint
            code, out, err = run(*SMALL, *changes, "--out", str(tmp_path / "-".join(changes)))
            assert code == 1
            assert "training diverged in epoch 1: the loss is no finite number; lower --lr" in err
            assert "linear probe" not in out
    assert (
        "Fine-tuning diverged"
        in run(
            *SMALL,
            "--finetune-epochs",
            "1",
            "--finetune-lr",
            "1e30",
            "--out",
            str(tmp_path / "tuned"),
        )[1]
    )


def test_a_refused_command_claims_no_folder(run, tmp_path):
    words = [*SMALL, "--out", str(tmp_path / "run"), "--until", "1"]
    assert run(*words, "--batch-size", "4096")[0] == 2
    assert run(*words)[0] == 0


@pytest.mark.parametrize("content", [{"a": 1}, [1]])
def test_a_checkpoint_of_something_else_is_refused(run, tmp_path, content):
    (tmp_path / "run").mkdir()
    torch.save(content, tmp_path / "run" / "checkpoint.pt")
    code, _, err = run(*SMALL, "--out", str(tmp_path / "run"))
    assert code == 2
    assert "must be the checkpoint of a run" in err


def test_a_lost_checkpoint_of_a_finished_run_is_trained_again_aloud(run, tmp_path):
    run(*SMALL, "--out", str(tmp_path / "run"))
    (tmp_path / "run" / "checkpoint.pt").unlink()
    out = run(*SMALL, "--out", str(tmp_path / "run"))[1]
    assert "epoch 1/3" in out
    assert "Complete already" not in out
