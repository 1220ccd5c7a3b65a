"""What README and docs/ say is what is there: options, commands, links, tables."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision

import run_study
from moco import command
from moco.config import Config
from moco.data.datasets import DATASETS
from moco.model.encoder import build_encoder
from moco.training.optimizers import OPTIMIZERS
from study.analysis.verdict import LABELS
from study.command import parse_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "examples").glob("*.md"))
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
ALL = "\n".join(TEXTS.values())
OTHERS = (  # options of torchrun, ray, tensorboard, sbatch and pip
    "--nproc-per-node --head --port --address --generate --dashboard-host --logdir --nodes --gpus-per-node --no-deps"
)
COMMANDS = re.compile(  # with what follows them on their line
    r"(?:python run_study\.py|python -m moco|torchrun [^`\n]*-m moco)[^`\n#|]*"
)
PLACES = {"FILE", "FOLDER", "NAME", "PLACE", "DIR"}  # stand for what a reader gives


def test_every_space_is_listed_with_its_question(capsys):
    run_study.main(["--list"])
    lines, _, _ = capsys.readouterr().out.partition("\n\n")
    for line in lines.splitlines():
        name, question = re.match(r"(\S+)\s+(.*?)  \(", line).groups()
        assert f"| `{name}` | {question} |" in ALL


def test_every_option_that_is_named_exists():
    words = subprocess.run(
        [sys.executable, "run_study.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = set(
        re.findall(r"--[a-z][a-z0-9-]+", words + command.build_parser().format_help() + OTHERS)
    )
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", ALL)) <= known


def commands():
    found = {
        (name, line.strip()) for name, text in TEXTS.items() for line in COMMANDS.findall(text)
    }
    return sorted(found)


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_can_be_given(page, line):
    words = shlex.split(line)
    if "..." in line or "--help" in line:
        pytest.skip("a part of a command, or its help")
    if "run_study.py" in words:
        given = words[words.index("run_study.py") + 1 :]
        if "--config" in given:  # a file that a study leaves
            at = given.index("--config")
            del given[at : at + 2]
        options = parse_command(given, run_study.space_names(), "python run_study.py")
        own = (
            options.space in PLACES
            or ".py" in (options.space or "")
            or ":" in (options.space or "")
        )
        assert own or options.space in (None, *run_study.space_names())
    else:
        given = command.normalize_words(words[words.index("moco") + 1 :])
        command.parse_fields(command.build_parser().parse_args(given))


def links():
    return [
        (name, target)
        for name, text in TEXTS.items()
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if "://" not in target
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_every_link_leads_somewhere(page, target):
    place, _, anchor = target.partition("#")
    file = (ROOT / page).parent / place if place else ROOT / page
    assert file.exists(), target
    if anchor:
        heads = re.findall(r"(?m)^#+ (.*)$", file.read_text())
        slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
        assert anchor in slugs, target


def test_every_page_is_in_the_menu():
    menu = re.findall(r"^  - (\w+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(menu) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))
    for name in menu[1:]:
        assert f"({name})" in TEXTS["docs/index.md"]
        assert f"(docs/{name}" in TEXTS["README.md"]


def test_the_readme_fits_a_screen():
    assert len(TEXTS["README.md"].splitlines()) <= 80


def test_what_can_be_chosen_is_listed():
    for option, table in (("--dataset", DATASETS), ("--optimizer", OPTIMIZERS)):
        row = re.search(rf"\| `{option}` \| (.*) \|", ALL).group(1)
        assert set(re.findall(r"`([a-z0-9]+)`", row)) == set(table)


def test_the_lines_for_torchvision_load_an_encoder(tmp_path, monkeypatch):
    code = re.search(r"```python\n(model = torchvision.*?)```", TEXTS["docs/moco.md"], re.S).group(
        1
    )
    encoder = build_encoder(Config(stem="small"), 3)
    (tmp_path / "runs" / "x").mkdir(parents=True)
    torch.save(encoder.backbone.state_dict(), tmp_path / "runs" / "x" / "encoder.pt")
    monkeypatch.chdir(tmp_path)
    names = {"torch": torch, "torchvision": torchvision}
    exec(code, names)
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(names["model"].eval()(x), encoder.backbone.eval()(x))


def test_the_tree_names_what_stands_at_the_top():
    tree = re.search(r"```\n(run_study\.py .*?)```", ALL, re.S).group(1)
    for line in tree.strip().splitlines():
        assert (ROOT / line.split()[0]).exists(), line


def test_every_make_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z]+)\b(?! [a-z])", ALL)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_every_label_is_explained():
    assert "one of seven labels" in TEXTS["README.md"]
    assert len(LABELS) == 7
    for title, _ in LABELS.values():
        assert f"| {title} |" in TEXTS["docs/page.md"]
