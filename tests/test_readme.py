"""What the README says is what is there."""

import re
import subprocess
import sys
from pathlib import Path

import torch
import torchvision

import run_study
from moco import command
from moco.config import Config
from moco.data.datasets import DATASETS
from moco.model.encoder import build_encoder
from moco.training.optimizers import OPTIMIZERS
from study.analysis.verdict import LABELS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_space_is_listed_with_its_question(capsys):
    run_study.main(["--list"])
    lines, _, _ = capsys.readouterr().out.partition("\n\n")
    for line in lines.splitlines():
        name, question = re.match(r"(\S+)\s+(.*?)  \(", line).groups()
        assert f"| `{name}` | {question} |" in README


def test_every_option_that_it_names_exists():
    words = subprocess.run(
        [sys.executable, "run_study.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    words += command.build_parser().format_help() + "--nproc-per-node"  # torchrun's
    words += "--head --port --address --generate --dashboard-host --logdir --nodes --gpus-per-node"  # of ray, tensorboard and sbatch
    words += "--no-deps"  # of pip
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README)):
        assert option in words, option


def test_what_can_be_chosen_is_listed():
    for option, table in (("--dataset", DATASETS), ("--optimizer", OPTIMIZERS)):
        row = re.search(rf"\| `{option}` \| (.*) \|", README).group(1)
        assert set(re.findall(r"`([a-z0-9]+)`", row)) == set(table)


def test_its_lines_load_an_encoder_into_torchvision(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    encoder = build_encoder(Config(stem="small"), 3)
    (tmp_path / "runs" / "x").mkdir(parents=True)
    torch.save(encoder.backbone.state_dict(), tmp_path / "runs" / "x" / "encoder.pt")
    monkeypatch.chdir(tmp_path)
    names = {"torch": torch, "torchvision": torchvision}
    exec(code, names)
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(names["model"].eval()(x), encoder.backbone.eval()(x))


def test_the_tree_names_what_stands_at_the_top():
    tree = re.search(r"```\n(run_study\.py .*?)```", README, re.S).group(1)
    for line in tree.strip().splitlines():
        assert (ROOT / line.split()[0]).exists(), line


def test_every_make_target_that_it_names_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_number_of_labels_is_right():
    assert "one of seven labels" in README
    assert len(LABELS) == 7
