"""SimCLR of lightly's parts: a loop of another library, stopped and continued, in few lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own_loop.py"
RUN = """
import json, sys
from pathlib import Path
from own_loop import FIELDS, train
from moco.data import cache

cached = cache.prepare("digits", 16, Path("data"))
config = {**FIELDS, "seed": 3, "train_images": 200, "image_size": 16}


def run(folder, most):
    Path(folder).mkdir(exist_ok=True)
    rows, loop = [], train(config, Path(folder), cached)
    while len(rows) < most:
        try:
            rows.append(next(loop))
        except StopIteration as end:
            return rows, end.value
    return rows, None


whole = run("whole", 99)
run("parts", 1)
run("parts", 2)
print(json.dumps([whole, run("parts", 99)]))
"""


@pytest.mark.slow
def test_it_continues_from_its_checkpoint_to_the_same_result(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(EXAMPLE.parent)!r}]\n{RUN}",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    whole, parts = json.loads(done.stdout.splitlines()[-1])
    assert whole == parts
    assert len(whole[0]) == 3
    assert whole[1]["accuracy"] > 0.3  # of ten classes


def test_it_has_no_more_than_some_eighty_lines():
    assert len(EXAMPLE.read_text().splitlines()) <= 81
