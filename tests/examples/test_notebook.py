"""The notebook is executed as its reader would."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
EXECUTE = """
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read("study.ipynb", as_version=4)
NotebookClient(notebook, timeout=250).execute()
nbformat.write(notebook, "executed.ipynb")
"""


@pytest.mark.slow
def test_the_notebook_runs_a_study_and_shows_it(tmp_path):
    shutil.copy(EXAMPLES / "study.ipynb", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    notebook = json.loads((tmp_path / "executed.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = [[out["data"] for out in cell["outputs"] if "data" in out] for cell in cells]
    assert "Does RMSprop beat SGD" in "".join(shown[1][-1]["text/html"])
    assert "rmsprop" in "".join(shown[2][-1]["text/html"])
    assert any(kind.startswith("application/vnd.plotly") for kind in shown[4][-1])
    assert (tmp_path / "results" / "notebook" / "report.html").exists()
