"""Files between machines: what a trial leaves is found again elsewhere, whatever carries it."""

from pathlib import Path

import pytest

from study.errors import StudyError
from study.runner.file_transfer import MARKER, Delivered, Files, KeptAtUrl, Parcel, Shelf
from study.store.remote import Mirror


class Straight:
    """A shelf without an actor around it."""

    def __init__(self, folder):
        folder.mkdir()
        (folder / MARKER).write_text("token")
        self.shelf = Shelf(str(folder), "token")

    def fetch(self, trial):
        return self.shelf.fetch(trial)

    def take(self, trial, files, gone):
        self.shelf.take(trial, files, gone)


@pytest.mark.parametrize("kind", ["shelf", "url"])
def test_a_trial_goes_on_on_another_node_that_shares_no_disk(tmp_path, kind, monkeypatch):
    kept = (
        Straight(tmp_path / "kept") if kind == "shelf" else KeptAtUrl((tmp_path / "kept").as_uri())
    )
    elsewhere = tmp_path / "not-seen-by-nodes"
    for number, node in enumerate(("one", "other")):
        (tmp_path / node).mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / node))
        files = Files(elsewhere, "token", kept)
        place = files.open("abc")
        assert place.is_relative_to(tmp_path / node)
        assert (place / "checkpoint.pt").exists() == bool(number)
        (place / "checkpoint.pt").write_bytes(b"epoch" + bytes([number]))
        (place / ".lock").write_text("")
        (place / f"draft{1 - number}").unlink(missing_ok=True)
        (place / f"draft{number}").write_text("")
        files.keep("abc", place)
    assert kept.fetch("abc") == {"checkpoint.pt": b"epoch\x01", "draft1": b""}, (
        "hidden files stay, and what is gone is gone"
    )


def test_only_what_changed_is_sent(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    kept = Straight(tmp_path / "kept")
    sent = []
    monkeypatch.setattr(kept, "take", lambda trial, files, gone: sent.append((sorted(files), gone)))
    files = Files(tmp_path / "elsewhere", "token", kept)
    place = files.open("abc")
    place.mkdir(parents=True, exist_ok=True)
    for name in ("a", "b"):
        (place / name).write_text(name)
    files.keep("abc", place)
    (place / "b").write_text("more")
    files.keep("abc", place)
    (place / "a").unlink()
    files.keep("abc", place)
    assert sent == [(["a", "b"], []), (["b"], []), ([], ["a"])]


def test_nodes_that_see_the_folder_work_in_it(tmp_path):
    files = Files(tmp_path, "token", Straight(tmp_path / "kept"))
    (tmp_path / MARKER).write_text("token of another study")
    assert not files.is_here
    (tmp_path / MARKER).write_text("token")
    assert files.open("abc") == tmp_path / "abc"


def test_a_parcel_on_its_own_machine_is_the_file_itself(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images.npy").write_bytes(b"pixels")
    task = Delivered(
        lambda config, folder, cached: [config, folder, cached],
        {"cached": Parcel(tmp_path / "data", pack=False)},
    )
    assert task({"lr": 1}, Path("here")) == [{"lr": 1}, Path("here"), (tmp_path / "data").resolve()]


def test_a_study_at_an_address_is_brought_back_and_a_run_that_could_not_send_is_not_overwritten(
    tmp_path,
):
    url = (tmp_path / "store").as_uri()
    first = tmp_path / "first"
    first.mkdir()
    (first / "study.json").write_text("{}")
    (first / "records.jsonl").write_text("1\n2\n")
    Mirror(url, first).push()
    second = tmp_path / "second"
    Mirror(url, second).pull()
    assert (second / "records.jsonl").read_text() == "1\n2\n"
    (second / "records.jsonl").write_text("1\n2\n3\n")
    Mirror(url, second).pull()
    assert (second / "records.jsonl").read_text() == "1\n2\n3\n"


def test_records_of_different_runs_are_never_overwritten(tmp_path):
    url, here = (tmp_path / "store").as_uri(), tmp_path / "here"
    here.mkdir()
    (here / "records.jsonl").write_text("1\n2\n")
    Mirror(url, here).push()
    (here / "records.jsonl").write_text("1\n3\n4\n")
    with pytest.raises(StudyError, match="hold different records"):
        Mirror(url, here).pull()
    assert (here / "records.jsonl").read_text() == "1\n3\n4\n"


def test_an_address_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(StudyError, match="nonsense://x cannot"):
        Mirror("nonsense://x", tmp_path / "folder").pull()
