"""A study's trials without the study: the same records, resumable, and a sentence for what is wrong."""

import json
from pathlib import Path

import pytest
from official_files import write_stl10

from moco.__main__ import main
from moco.config import Config
from moco.data import cache
from moco.model.published_weights import WEIGHTS, Weights
from moco.model.weights import digest

FIELDS = {
    "image_size": 8,
    "width": 0.0625,
    "batch_size": 64,
    "batch_norm_splits": 2,
    "queue_size": 64,
    "epochs": 2,
    "probe_epochs": 2,
    "probe_batch_size": 512,
}


@pytest.fixture
def lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fingerprint = cache.load(cache.prepare("digits", 8, tmp_path / "data")).fingerprint
    found = []
    for seed in (1, 2):
        config = Config.of({**FIELDS, "seed": seed}).to_dict()
        found.append(
            {
                "trial": f"trial{seed}",
                "stage": "final",
                "arm": "sgd",
                "seed": seed,
                "point": {"lr": 0.03},
                "why": "",
                "config": config,
                "fingerprint": fingerprint,
            }
        )
    return found


def write(lines):
    with open("trials.jsonl", "w") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def records():
    return {
        record["trial"]: record
        for record in map(json.loads, Path("records.jsonl").read_text().splitlines())
    }


COMMAND = ["--trials", "trials.jsonl", "--records", "records.jsonl"]


def same(record):
    curve = [
        {name: value for name, value in row.items() if name not in ("seconds", "images_per_second")}
        for row in record["curve"]
    ]
    return curve, record["result"], record["config"], record["status"]


def test_each_trial_leaves_a_record_once_and_at_once_gives_the_same_ones(lines, capsys):
    write([lines[0], lines[0]])
    assert main(COMMAND) == 0
    assert main(COMMAND) == 0
    assert len(Path("records.jsonl").read_text().splitlines()) == 1
    write(lines)
    assert main([*COMMAND, "--at-once", "2"]) == 0
    assert "2 trials, 1 of them done" in capsys.readouterr().out
    first = records()
    assert list(first) == ["trial1", "trial2"]
    assert {record["status"] for record in first.values()} == {"finished"}
    assert first["trial1"]["device"].startswith("cpu")
    assert main(["--trials", "trials.jsonl", "--records", "other.jsonl"]) == 0
    others = {
        record["trial"]: record
        for record in map(json.loads, Path("other.jsonl").read_text().splitlines())
    }
    assert {id: same(record) for id, record in first.items()} == {
        id: same(record) for id, record in others.items()
    }


def test_a_torn_line_is_cut_and_its_trial_goes_on(lines):
    write(lines[:1])
    assert main(COMMAND) == 0
    with open("records.jsonl", "a") as file:
        file.write('{"trial": "trial2", "sta')
    write(lines)
    assert main(COMMAND) == 0
    assert list(records()) == ["trial1", "trial2"]


def test_a_trial_that_fails_or_diverges_ends_as_a_record(lines, capsys):
    lines[0]["config"] |= {"lr": 1e30}
    lines[1]["config"] |= {"weights": "nowhere.pt"}
    write(lines)
    assert main(COMMAND) == 1
    found = records()
    assert {id: record["status"] for id, record in found.items()} == {
        "trial1": "diverged",
        "trial2": "failed",
    }
    assert "nowhere.pt" in found["trial2"]["error"]
    assert "failed: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--trials", "trials.jsonl"], "--trials needs --records"),
        (["--trials", "nothing.jsonl", "--records", "r"], "nothing.jsonl cannot be read"),
        (["--trials", "outside.jsonl", "--records", "r"], "line 1 of outside.jsonl is no trial"),
        ([*COMMAND, "--at-once", "0"], "--at-once must be 1 or more; got 0"),
        (["--trials", "broken.jsonl", "--records", "r"], "line 1 of broken.jsonl is no trial"),
        (
            ["--trials", "trials.jsonl", "--records", "broken.jsonl"],
            "--records must be a file of records, or a new one",
        ),
        (
            ["--trials", "trials.jsonl", "--records", "notes.txt"],
            "--records must be a file of records, or a new one",
        ),
        ([*COMMAND, "--dataset", "cifar10"], "cifar10"),
        ([*COMMAND, "--probe-epochs", "3"], "--probe-epochs has no effect on trials of a study"),
    ],
)
def test_what_is_wrong_ends_in_a_sentence(lines, capsys, words, sentence):
    write(lines)
    Path("outside.jsonl").write_text(json.dumps({**lines[0], "trial": "../../outside"}) + "\n")
    with open("broken.jsonl", "w") as file:
        file.write('{"trial": 1}\n')
    Path("notes.txt").write_text("my notes")
    assert main(words) in (1, 2)
    assert Path("notes.txt").read_text() == "my notes"
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("python -m moco: ")


def test_other_images_than_the_studys_are_refused(lines, capsys):
    lines[0]["fingerprint"] = "0" * 64
    write(lines)
    assert main(COMMAND) == 2
    assert "must hold the study's images, fingerprint 0000000000000000" in capsys.readouterr().err


def test_a_study_that_also_reads_the_further_split_is_found_again_by_trials_that_do_not(
    lines, monkeypatch
):
    """Its cache holds that split, and so its fingerprint does."""
    write_stl10(Path("."), monkeypatch, per_class=10, more=40)
    fingerprint = cache.load(cache.prepare("stl10", 8, Path("."), "train+unlabelled")).fingerprint
    for line, split in zip(lines, ("train", "train+unlabelled"), strict=True):
        line["config"] |= {"dataset": "stl10", "batch_size": 16, "pretrain_split": split}
        line["fingerprint"] = fingerprint
    write(lines)
    assert main([*COMMAND, "--data-dir", "."]) == 0
    assert {record["status"] for record in records().values()} == {"finished"}


def test_trials_that_begin_from_a_given_file_take_it_from_the_command(lines, capsys):
    write(lines[:1])
    assert main(COMMAND) == 0
    made = Path("records-trials/trial1/encoder.pt")
    lines[1]["config"] |= {"weights": "given", "weights_sha256": digest(made)}
    write(lines)
    assert main(COMMAND) == 2
    assert "--weights must name the file from which trials begin" in capsys.readouterr().err
    Path("other.pt").write_bytes(b"another")
    assert main([*COMMAND, "--weights", "other.pt"]) == 2
    assert "; other.pt is another" in capsys.readouterr().err
    assert main([*COMMAND, "--weights", str(made)]) == 0
    assert records()["trial2"]["status"] == "finished"
    assert records()["trial2"]["config"]["weights"] == "given", "the record names no place"


def test_a_trial_whose_weights_are_absent_fails_alone(lines, monkeypatch, capsys):
    row = Weights("gone", (Path.cwd() / "gone.pth").as_uri(), "md5", "0")
    monkeypatch.setitem(WEIGHTS, "made", lambda encoder: row)
    lines[0]["config"] |= {"weights": "made", "weights_sha256": "0" * 64}
    write(lines)
    assert main(COMMAND) == 1
    assert {name: record["status"] for name, record in records().items()} == {
        "trial1": "failed",
        "trial2": "finished",
    }
    assert "made is not on this machine and could not be downloaded" in capsys.readouterr().out
