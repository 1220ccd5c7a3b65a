"""Ray's sessions lie in a folder of this user alone."""

import stat
from pathlib import Path

from study.runner.files import private


def test_a_folder_is_closed_to_others_also_where_it_was_open(tmp_path):
    folder = tmp_path / "study-0"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert private.own_folder(folder) == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_that_somebody_else_has_put_there_is_not_followed(tmp_path):
    (tmp_path / "trap").mkdir()
    (tmp_path / "study-0").symlink_to(tmp_path / "trap")
    found = private.own_folder(tmp_path / "study-0")
    assert found.parent != tmp_path / "trap"
    assert not found.is_symlink()
    found.rmdir()


def test_a_file_in_the_folder_s_place_is_not_taken_either(tmp_path):
    (tmp_path / "study-0").write_text("mine")
    found = private.own_folder(tmp_path / "study-0")
    assert found.is_dir()
    found.rmdir()


def test_a_long_temporary_folder_is_not_taken_and_ray_s_own_wish_counts(monkeypatch, tmp_path):
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    assert private.ray_folder().parents[1] == Path("/tmp")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert private.ray_folder() is None
