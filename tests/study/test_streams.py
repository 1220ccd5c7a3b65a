"""Whatever the standard streams are, a command ends as it should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "run_study.py"), "--space", str(Path(__file__).parent / "toy.py"), "--plan"]  # fmt: skip


def run(cwd, words=COMMAND, **options):
    env = {**os.environ, **options.pop("env", {})}
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_letters_that_a_stream_lacks_are_written_as_escapes(tmp_path, env):
    done = run(tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03b4 = 0.5 points" in done.stdout


@pytest.mark.parametrize("ending", ["> /dev/full", ">&- 2>&-", "2>&-", "| true"])
def test_streams_that_are_full_closed_or_read_by_nobody_change_nothing(tmp_path, ending):
    line = " ".join(f"'{word}'" for word in COMMAND)
    done = run(tmp_path, ["bash", "-o", "pipefail", "-c", f"{line} {ending}"])
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
