"""A study as a TOML file: options come from it, the command counts before it, each study leaves one."""

from pathlib import Path

import pytest

import run_study
from study.command import parse_command
from study.config_file import config_text
from study.options import Options

FILE = """
space = "optimizers"
profile = "quick"
until-decided = 12
max_hours = 0.5
plan = true
report = false

[set]
epochs = 8
schedule = "cosine"
arms = "sgd,rmsprop"

[range]
sgd = [0.01, 1.0]
"mine:Own" = [1e-4, 1]
"""


def parse(*words):
    return parse_command(list(words), ["optimizers"], "python run_study.py")


def test_a_file_gives_options_and_the_command_counts_before_it(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(FILE)
    options = parse("--config", str(file))
    assert (options.space, options.until_decided, options.max_hours) == ("optimizers", 12, 0.5)
    assert (options.plan, options.report) == (True, False)
    assert options.set == ("epochs=8", "schedule=cosine", "arms=sgd,rmsprop")
    assert options.range == ("sgd=0.01..1.0", "mine:Own=0.0001..1")
    options = parse(
        "--config", str(file), "--profile", "full", "--set", "epochs=2", "--range=sgd=1..2"
    )
    assert options.profile == "full"
    assert sorted(options.set) == ["arms=sgd,rmsprop", "epochs=2", "schedule=cosine"]
    assert sorted(options.range) == ["mine:Own=0.0001..1", "sgd=1..2"]


@pytest.mark.parametrize(
    "options",
    [
        Options(space="queue", profile="quick"),
        Options(
            space="./mine.py", profile="small", dataset='a "folder" \\ of mine', out="there", weights="x.pt",
            searches=3, trials="4", seeds=2, until_decided=9, workers=2,
            set=("epochs=8", "lr=1e-3", "schedule=cosine", "arms=a,b", "odd=[1]"), range=("my.code:Own=1e-4...5",),
        ),
    ],
)  # fmt: skip
def test_what_a_study_leaves_gives_its_options_again(options, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(config_text(options, options.profile))
    again = parse("--config", str(file))
    names = (
        "space",
        "profile",
        "dataset",
        "out",
        "weights",
        "searches",
        "trials",
        "seeds",
        "until_decided",
        "workers",
    )
    for name in names:
        value = getattr(options, name)
        if name == "out" and value:  # from everywhere
            value = str(Path(value).absolute())
        assert getattr(again, name) == value
    assert [pair.split("=")[0] for pair in again.set] == [
        pair.split("=")[0] for pair in options.set
    ]
    from study.design.arms import parse_ranges
    from study.design.make_plan import parse_overrides

    assert parse_overrides(again.set) == parse_overrides(options.set)
    assert parse_ranges(again.range) == parse_ranges(options.range)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "s.toml").write_text('space = "optimizers"', encoding="utf-8-sig")
    assert parse("--config", str(tmp_path / "s.toml")).space == "optimizers"


def test_the_command_takes_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text('space = "optimizers"\nprofile = "quick"\nplan = true\n')
    assert run_study.main(["--config", "s.toml", "--set", "batch_size=64"]) == 0
    assert "of optimizers, profile quick" in capsys.readouterr().out
