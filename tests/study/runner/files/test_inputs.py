"""Inputs of a trainer on nodes that have them and on nodes that do not."""

from pathlib import Path

import numpy as np

from study.runner.files.inputs import InputFiles, TrainWithInputs


def test_inputs_on_their_own_machine_are_the_files_themselves(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images.npy").write_bytes(b"pixels")
    train = TrainWithInputs(
        lambda config, folder, cached: [config, folder, cached],
        {"cached": InputFiles(tmp_path / "data", pack=False)},
    )
    assert train({"lr": 1}, Path("here")) == [
        {"lr": 1},
        Path("here"),
        (tmp_path / "data").resolve(),
    ]


def test_a_node_without_the_inputs_unpacks_them_once(tmp_path, monkeypatch):
    content = np.frombuffer(b"pixels", np.uint8)
    unpacked = []
    monkeypatch.setattr("ray.put", lambda array: array)
    monkeypatch.setattr("ray.get", lambda ref: unpacked.append(1) or ref)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    (tmp_path / "images.npy").write_bytes(content.tobytes())
    inputs = InputFiles(tmp_path / "images.npy", pack=True)
    (tmp_path / "images.npy").unlink()
    paths = {inputs.local_path() for _ in range(2)}
    assert [path.read_bytes() for path in paths] == [b"pixels"]
    assert unpacked == [1]
