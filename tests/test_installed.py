"""The wheel, installed into an environment without the clone: both commands do their main job."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from commands import finish, kill_and_resume, records_of

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


OWN_ENCODER = """
import torch


class Tiny(torch.nn.Module):
    feature_size = 16

    def __init__(self, channels):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(channels, 16, 3, 2, 1), torch.nn.BatchNorm2d(16), torch.nn.ReLU()
        )

    def forward(self, images):
        return self.layers(images).mean((2, 3))
"""
OWN_IMAGES = """
from sklearn.datasets import load_digits


def digits():
    bundle = load_digits()
    return (bundle.images[:600] * 15).astype("uint8"), bundle.target[:600], list("0123456789")
"""


@pytest.mark.slow
def test_optimizer_encoder_and_images_of_ones_own_are_killed_and_resumed_and_a_changed_line_is_told(
    installed, tmp_path
):
    shutil.copy(ROOT / "examples" / "own_optimizer.py", tmp_path)
    (tmp_path / "my_encoder.py").write_text(OWN_ENCODER)
    (tmp_path / "my_images.py").write_text(OWN_IMAGES)
    words = [installed / "moco-study", "--space", "./own_optimizer.py", "--profile", "quick"]
    words += [
        "--dataset",
        "my_images:digits",
        "--set",
        "encoder=my_encoder:Tiny",
        "--searches",
        "2",
        "--trials",
        "1",
        "--set",
        "epochs=2",
    ]
    records = tmp_path / "results" / "signum-quick-digits" / "records.jsonl"
    output, whole = kill_and_resume(words, tmp_path, records)
    assert "On my_images:digits" in output
    page = (records.parent / "report.html").read_text()
    assert "moco-study --space ./own_optimizer.py" in page
    assert "As loaded" not in output  # the control begins from no file
    configs = [record["config"] for record in whole.values()]
    assert {"own_optimizer:Signum", "adam", "sgd"} == {config["optimizer"] for config in configs}
    assert {config["encoder"] for config in configs} == {"my_encoder:Tiny"}
    hashes = {config["code_sha256"] for config in configs}
    assert len(hashes) == 2  # with the optimizer, and with the encoder alone
    changed = (tmp_path / "own_optimizer.py").read_text().replace("1 - group", "0.9 - group")
    (tmp_path / "own_optimizer.py").write_text(changed)
    code, output = finish(words, tmp_path)
    assert code == 2
    assert re.search(r"holds a study with another plan, and .*code_sha256 was", output)


@pytest.mark.slow
def test_a_loop_of_another_library_is_a_study_with_a_package_beside_it(installed, tmp_path):
    text = (ROOT / "examples" / "own_loop.py").read_text()
    text = text.replace("from study import", "from my_parts.sizes import HIDDEN\nfrom study import")
    text = text.replace("(256, 256, 64)", "(256, HIDDEN, 64)")
    text = text.replace("    torch.manual_seed", "    import my_late\n\n    torch.manual_seed")
    (tmp_path / "own_loop.py").write_text(text)
    (tmp_path / "my_parts").mkdir()
    (tmp_path / "my_parts" / "sizes.py").write_text("HIDDEN = 128")
    (tmp_path / "my_late.py").write_text("LATE = 1")
    words = [
        installed / "moco-study",
        "--space",
        "./own_loop.py",
        "--searches",
        "2",
        "--trials",
        "1",
    ]
    words += ["--set", "train_images=300", "--set", "epochs=1"]
    code, output = finish(words, tmp_path)
    assert code == 0, output
    assert "On scikit-learn's digits" in output
    whole = records_of(tmp_path / "results" / "temperature-quick" / "records.jsonl")
    assert not [record for record in whole.values() if record["status"] == "failed"]
    assert all(one["result"]["correct"].startswith(("280:", "397:")) for one in whole.values())
