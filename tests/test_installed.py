"""The wheel, installed into an environment without the clone: both commands do their main job."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTENT = (
    "moco",
    "study",
    "search_spaces",
    "run_study.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of the commands of an environment that has the wheel and our dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    source, environment = folder / "source", folder / "environment"
    source.mkdir()
    for name in CONTENT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", source, "--no-deps", "--no-build-isolation", "-w", folder], check=True
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # the dependencies of the tests' environment, whose own link to the clone a .pth file does not follow
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (wheel,) = folder.glob("*.whl")
    python = environment / "bin" / "python"
    subprocess.run(
        [*pip, "--python", python, "install", "--no-deps", "--ignore-installed", wheel], check=True
    )
    return python.parent


def run(installed, folder, *words):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH",)}
    done = subprocess.run(
        [installed / words[0], *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_outside_the_clone_the_commands_plan_and_pretrain(installed, tmp_path):
    code, output, problems = run(
        installed, tmp_path, "moco-study", "--space", "optimizers", "--profile", "quick", "--plan"
    )
    assert code == 0, problems
    assert re.search(r"Plan \w{12} of optimizers, profile quick", output)
    code, output, problems = run(installed, tmp_path, "moco-study", "--space", "nope", "--plan")
    assert (code, problems[:11]) == (2, "moco-study:")
    words = [
        "--dataset",
        "digits",
        "--train-images",
        "100",
        "--batch-size",
        "32",
        "--queue-size",
        "32",
        "--width",
        "0.125",
    ]
    code, output, problems = run(installed, tmp_path, "moco-pretrain", *words, "--epochs", "1")
    assert code == 0, problems
    assert "linear probe" in output
    code, _, problems = run(installed, tmp_path, "moco-pretrain", "--epochs", "none")
    assert (code, problems[:14]) == (2, "moco-pretrain:")
    where = "import study, moco, search_spaces, run_study; print(study.__file__, run_study.PROGRAM)"
    code, output, _ = run(installed, tmp_path, "python", "-c", where)
    assert str(ROOT) not in output.split()[0]
    assert output.split()[1] == "moco-study"


@pytest.mark.slow
def test_the_page_is_in_the_wheel(installed, tmp_path):
    shutil.copy(ROOT / "examples" / "my_space.py", tmp_path)
    code, output, problems = run(
        installed,
        tmp_path,
        "moco-study",
        "--space",
        "./my_space.py",
        "--searches",
        "2",
        "--trials",
        "1",
    )
    assert code == 0, problems
    page = (tmp_path / "results" / "momentum-quick" / "report.html").read_text()
    assert "moco-study --space ./my_space.py" in page
    code, output, problems = run(
        installed, tmp_path, "moco-study", "--report", "--space", "momentum"
    )
    assert (code, "Report: file" in output) == (0, True), problems
