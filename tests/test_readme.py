"""What the README says is what is there."""

import re
import subprocess
import sys
from pathlib import Path

import run_study
from study.verdict import LABELS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_space_is_listed_with_its_question(capsys):
    run_study.main(["--list"])
    for line in capsys.readouterr().out.splitlines():
        name, question = re.match(r"(\S+)\s+(.*?)  \(", line).groups()
        assert f"| `{name}` | {question} |" in README


def test_every_option_that_it_names_exists():
    words = subprocess.run([sys.executable, "run_study.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)):
        assert option in words, option


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
