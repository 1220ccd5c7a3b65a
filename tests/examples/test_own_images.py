"""The commands of own_images.md, on a folder of photographs and on one without labels."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "examples" / "own_images.md").read_text()


def photograph(file, seed):
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (70, 90, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file)


@pytest.mark.slow
def test_every_command_runs_in_its_order(tmp_path):
    for i in range(200):
        split = "test" if i % 5 == 0 else "train"
        photograph(tmp_path / "photos" / split / "ab"[i % 2] / f"{i}.jpg", i)
    for i in range(40):
        photograph(tmp_path / "loose" / f"{i % 3}x" / "deep" / f"{i}.png", 1000 + i)
    (tmp_path / "loose" / "notes.txt").write_text("no image")
    (tmp_path / "my_images.py").write_text(re.search(r"```py\n(.*?)```", TEXT, re.DOTALL).group(1))
    commands = [line for line in TEXT.splitlines() if line.startswith("python ")]
    assert len(commands) == 5
    outputs = []
    for line in commands:
        words = shlex.split(line.replace("python run_study.py", f"python {ROOT / 'run_study.py'}"))
        done = subprocess.run(
            [sys.executable, *words[1:]],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        outputs.append(done.stdout)
    assert "Read as: train/ and test/ of 2 classes" in outputs[0]
    assert "Sizes: image_size=32" in outputs[0]
    assert "image_size=48" not in outputs[1]  # set by the command, so nothing is proposed for it
    assert "folder photos, 48 px" in outputs[1]
    assert "skipped: 1 without an image's ending (as notes.txt)" in outputs[2]
    assert (tmp_path / "runs" / "loose" / "encoder.safetensors").exists()
    assert "linear probe" in outputs[3]
    assert "my_images:noise, 16 px" in outputs[4]
