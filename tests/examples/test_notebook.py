"""The notebook is executed as its reader would."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_the_notebook_runs_a_study_and_shows_it(tmp_path, monkeypatch):
    shutil.copy(EXAMPLES / "study.ipynb", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    notebook = nbformat.read(tmp_path / "study.ipynb", as_version=4)
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [{kind for output in cell.outputs for kind in output.get("data", {})} for cell in cells]
    assert "Does RMSprop beat SGD" in cells[1].outputs[-1]["data"]["text/html"]
    assert "primary" not in cells[2].outputs[-1]["data"]["text/html"]  # the role is left out
    assert "rmsprop" in cells[2].outputs[-1]["data"]["text/html"]
    assert any(kind.startswith("application/vnd.plotly") for kind in shown[4])
    assert (tmp_path / "results" / "notebook" / "report.html").exists()
