"""A study's trials without Ray: the same records, resumable, and a sentence for what is wrong."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from official_files import write_stl10

import run_study
from moco.config import Config
from moco.data import cache
from moco.model.published_weights import WEIGHTS, PublishedWeights
from moco.model.weights import file_sha256
from study.design.stages import due_trials
from study.store.exchange import export_trials
from study.store.ledger import Ledger

ROOT = Path(run_study.__file__).parent
TOY = ROOT / "tests" / "study" / "toy.py"
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
COMMAND = ["--trials", "trials.jsonl", "--records", "records.jsonl"]


@pytest.fixture
def main():
    """The command, which leaves torch's threads as it found them."""
    import torch

    threads = torch.get_num_threads()
    yield run_study.main
    torch.set_num_threads(threads)


@pytest.fixture
def lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fingerprint = cache.load_dataset(cache.prepare("digits", 8, tmp_path / "data")).fingerprint
    found = []
    for seed in (1, 2):
        config = Config.of({**FIELDS, "dataset": "digits", "seed": seed}).to_dict()
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
                "space": "optimizers",
                "dataset": "digits",
            }
        )
    return found


def write(lines):
    with open("trials.jsonl", "w") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def records(name="records.jsonl"):
    return {
        record["trial"]: record for record in map(json.loads, Path(name).read_text().splitlines())
    }


def same(record):
    curve = [
        {name: value for name, value in row.items() if name not in ("seconds", "images_per_second")}
        for row in record["curve"]
    ]
    return curve, record["result"], record["config"], record["status"]


def test_each_trial_leaves_a_record_once_and_at_once_gives_the_same_ones(lines, main, capsys):
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
    others = records("other.jsonl")
    assert {id: same(record) for id, record in first.items()} == {
        id: same(record) for id, record in others.items()
    }


def test_a_torn_line_is_cut_and_its_trial_goes_on(lines, main):
    write(lines[:1])
    assert main(COMMAND) == 0
    with open("records.jsonl", "a") as file:
        file.write('{"trial": "trial2", "sta')
    write(lines)
    assert main(COMMAND) == 0
    assert list(records()) == ["trial1", "trial2"]


def test_a_trial_that_fails_or_diverges_ends_as_a_record(lines, main, capsys):
    lines[0]["config"] |= {"lr": 1e30}
    lines[0]["point"] = {"lr": 1e30}
    lines[1]["config"] |= {"train_images": 5}
    write(lines)
    assert main(COMMAND) == 1
    found = records()
    assert {id: record["status"] for id, record in found.items()} == {
        "trial1": "diverged",
        "trial2": "failed",
    }
    assert "train_images must be 0 or at least one a class" in found["trial2"]["error"]
    assert "failed: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--trials", "trials.jsonl", "--space", "optimizers"], "with --records a file of trials"),
        (["--records", "r"], "--records takes the records of trials; name their file"),
        (["--trials", "nothing.jsonl", "--records", "r"], "nothing.jsonl cannot be read"),
        (["--trials", "outside.jsonl", "--records", "r"], "line 1 of outside.jsonl is no trial"),
        ([*COMMAND, "--at-once", "0"], "--at-once must be 1 or more; got 0"),
        (["--trials", "broken.jsonl", "--records", "r"], "line 1 of broken.jsonl is no trial"),
        (
            ["--trials", "trials.jsonl", "--records", "broken.jsonl"],
            "line 1 of broken.jsonl must be a trial's record",
        ),
        (
            ["--trials", "trials.jsonl", "--records", "notes.txt"],
            "notes.txt must be a file of records, each line with a line feed at its end",
        ),
        ([*COMMAND, "--dataset", "cifar10"], "cifar10"),
        ([*COMMAND, "--space", "nope"], "--space must be one of"),
    ],
)
def test_what_is_wrong_ends_in_a_sentence(lines, main, capsys, words, sentence):
    write(lines)
    Path("outside.jsonl").write_text(json.dumps({**lines[0], "trial": "../../outside"}) + "\n")
    with open("broken.jsonl", "w") as file:
        file.write('{"trial": 1}\n')
    Path("notes.txt").write_text("my notes")
    assert main(words) == 2
    assert Path("notes.txt").read_text() == "my notes"
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("run_study.py: ")


def test_two_files_of_records_in_one_folder_may_be_written_at_once(lines, main, capsys):
    write(lines[:1])
    with closing(Ledger(Path("."), "other.jsonl")):
        assert main(COMMAND) == 0
        assert main(["--trials", "trials.jsonl", "--records", "other.jsonl"]) == 2
    assert "other.jsonl is being written by another run; name another" in capsys.readouterr().err


def test_other_images_than_the_studys_are_refused(lines, main, capsys):
    lines[0]["fingerprint"] = "0" * 64
    write(lines[:1])
    assert main(COMMAND) == 2
    assert "must hold the study's data, fingerprint 0000000000000000" in capsys.readouterr().err


def test_a_study_that_also_reads_the_further_split_is_found_again_by_trials_that_do_not(
    lines, main, monkeypatch
):
    """Its cache holds that split, and so its fingerprint does."""
    write_stl10(Path("."), monkeypatch, per_class=10, more=40)
    place = cache.prepare("stl10", 8, Path("."), "train+unlabelled")
    fingerprint = cache.load_dataset(place).fingerprint
    for line, split in zip(lines, ("train", "train+unlabelled"), strict=True):
        line["config"] |= {"dataset": "stl10", "batch_size": 16, "pretrain_split": split}
        line |= {"fingerprint": fingerprint, "dataset": "stl10"}
    write(lines)
    assert main([*COMMAND, "--data-dir", "."]) == 0
    assert {record["status"] for record in records().values()} == {"finished"}


def test_trials_that_begin_from_a_given_file_take_it_from_the_command(lines, main, capsys):
    write(lines[:1])
    assert main(COMMAND) == 0
    made = Path("records-trials/trial1/encoder.pt")
    lines[1]["config"] |= {"weights": "given", "weights_sha256": file_sha256(made)}
    write(lines)
    assert main(COMMAND) == 2
    assert "--weights must name the file from which trials begin" in capsys.readouterr().err
    Path("other.pt").write_bytes(b"another")
    assert main([*COMMAND, "--weights", "other.pt"]) == 2
    assert "; other.pt is another" in capsys.readouterr().err
    assert main([*COMMAND, "--weights", str(made)]) == 0
    assert records()["trial2"]["status"] == "finished"
    assert records()["trial2"]["config"]["weights"] == "given", "the record names no place"


def test_a_trial_whose_weights_are_absent_is_not_run_and_the_others_are(
    lines, main, monkeypatch, capsys
):
    row = PublishedWeights("gone", (Path.cwd() / "gone.pth").as_uri(), "md5", "0")
    monkeypatch.setitem(WEIGHTS, "made", lambda encoder: row)
    fingerprint = cache.load_dataset(cache.prepare("shapes", 8, Path("data"))).fingerprint
    for line in lines:
        line["config"] |= {"dataset": "shapes"}
        line |= {"dataset": "shapes", "fingerprint": fingerprint}
    third = {**lines[0], "trial": "trial3", "config": {**lines[0]["config"]}}
    lines[0]["config"] |= {"weights": "made", "weights_sha256": "0" * 64}
    third["config"] |= {"weights": "nowhere.pt", "weights_sha256": "0" * 64}
    write([*lines, third])
    assert main(COMMAND) == 1
    assert {name: record["status"] for name, record in records().items()} == {"trial2": "finished"}
    out = capsys.readouterr().out
    assert "trial1 is not run: weights absent: made is not on this machine and could not be" in out
    assert "trial3 is not run: weights absent: weights must be one of" in out
    assert "'nowhere.pt' is neither" in out


def test_trials_of_two_spaces_or_of_another_one_are_refused(lines, main, capsys):
    lines[1]["space"] = "queue"
    write(lines)
    assert main(COMMAND) == 2
    assert "--trials must hold trials of one space on one data set" in capsys.readouterr().err
    write(lines[:1])
    assert main([*COMMAND, "--space", "queue"]) == 2
    assert "must name the space of the trials, optimizers; got queue" in capsys.readouterr().err


TOY_TRIALS = """
import sys
import run_study
code = run_study.main(["--space", sys.argv[1], "--trials", "trials.jsonl", "--records", "records.jsonl", *sys.argv[2:]])
print(*sys.modules)
sys.exit(code)
"""


@pytest.mark.parametrize("words", [[], ["--at-once", "2"]])
def test_trials_of_a_space_of_ones_own_need_neither_ray_nor_optuna_nor_plotly(toy, tmp_path, words):
    plan = toy.plan()
    export_trials(plan, {}, tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", TOY_TRIALS, str(TOY), *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names = done.stdout.splitlines()[-1].split()
    assert "study.execution.offline" in names
    assert not {"ray", "optuna", "plotly", "torch", "moco"} & set(names)
    path = tmp_path / "records.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(record["trial"] for record in found) == sorted(
        trial.id for trial in due_trials(plan, {})
    )
