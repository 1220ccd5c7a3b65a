"""What follows a study: TensorBoard's event files, also for a trainer that does without torch."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from study.runner.callbacks import EventFiles, PageRedraw, can_write

ROOT = Path(__file__).parents[3]
CODE = """
import sys
from pathlib import Path
from types import SimpleNamespace
from study.runner.callbacks import EventFiles

class Trial(SimpleNamespace):
    __str__ = lambda self: "toy"

files, trial = EventFiles(Path(sys.argv[1])), Trial(trial_id="1")
files.on_trial_result(1, [], trial, {"epoch": 1, "loss": 0.5, "time_total_s": 1.0})
files.on_trial_result(2, [], trial, {"epoch": 2, "loss": float("nan")})
files.on_trial_result(3, [], trial, {"outcome": "", "score": 0.9})
files.on_trial_complete(3, [], trial)
assert "torch" not in sys.modules
import torch
"""


def test_event_files_hold_the_finite_numbers_and_need_no_torch(tmp_path):
    subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], cwd=ROOT, check=True)
    (file,) = (tmp_path / "tensorboard" / "toy").iterdir()
    content = file.read_bytes()
    assert content.count(b"epoch/loss") == 1
    assert content.count(b"result/score") == 1
    assert b"time_total_s" not in content


def test_a_writer_whose_thread_died_of_a_full_disk_is_left_alone(tmp_path, monkeypatch):
    """tensorboardX would wait forever for room in the thread's queue."""
    files, trial = EventFiles(tmp_path), SimpleNamespace(trial_id="1")
    files.on_trial_result(1, [], trial, {"epoch": 1, "loss": 0.5})
    writer = files.writers["1"]
    thread = writer.file_writer.event_writer._worker
    thread.stop()
    thread.join()
    assert not can_write(writer)
    for epoch in range(2, 40):
        files.on_trial_result(epoch, [], trial, {"epoch": epoch, "loss": 0.5})
    files.on_trial_complete(40, [], trial)
    assert files.writers == {}


def test_a_late_drawing_is_ended_and_no_error(tmp_path, monkeypatch):
    redraw = PageRedraw(tmp_path)
    redraw.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    wait = redraw.process.wait
    monkeypatch.setattr(redraw.process, "wait", lambda seconds=None: wait(seconds and 0.1))
    begun = time.monotonic()
    redraw.close()
    assert redraw.process.poll() is not None
    assert time.monotonic() - begun < 10
