"""Files between machines: what a trial leaves is found again elsewhere, whatever carries it."""

import pytest

from study.runner.files.trials import MARKER, FileStoreActor, TrialFiles, UrlStore


class PlainStore:
    """What the actor does, in this process."""

    def __init__(self, folder):
        folder.mkdir()
        (folder / MARKER).write_text("token")
        self.store = FileStoreActor(str(folder), "token")

    def fetch(self, trial):
        return self.store.fetch(trial)

    def save(self, trial, files, deleted):
        self.store.save(trial, files, deleted)


@pytest.mark.parametrize("kind", ["actor", "url"])
def test_a_trial_goes_on_on_another_node_that_shares_no_disk(tmp_path, kind, monkeypatch):
    place = tmp_path / "store"
    store = PlainStore(place) if kind == "actor" else UrlStore(place.as_uri())
    elsewhere = tmp_path / "not-seen-by-nodes"
    for number, node in enumerate(("one", "other")):
        (tmp_path / node).mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / node))
        files = TrialFiles(elsewhere, "token", store)
        place = files.open_folder("abc")
        assert place.is_relative_to(tmp_path / node)
        assert (place / "checkpoint.pt").exists() == bool(number)
        (place / "checkpoint.pt").write_bytes(b"epoch" + bytes([number]))
        (place / ".lock").write_text("")
        (place / f"draft{1 - number}").unlink(missing_ok=True)
        (place / f"draft{number}").write_text("")
        files.save("abc", place)
    assert store.fetch("abc") == {"checkpoint.pt": b"epoch\x01", "draft1": b""}, (
        "hidden files stay, and what is gone is gone"
    )


def test_only_what_changed_is_sent(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    store = PlainStore(tmp_path / "store")
    sent = []
    record = lambda trial, files, deleted: sent.append((sorted(files), deleted))  # noqa: E731
    monkeypatch.setattr(store, "save", record)
    files = TrialFiles(tmp_path / "elsewhere", "token", store)
    place = files.open_folder("abc")
    place.mkdir(parents=True, exist_ok=True)
    for name in ("a", "b"):
        (place / name).write_text(name)
    files.save("abc", place)
    (place / "b").write_text("more")
    files.save("abc", place)
    (place / "a").unlink()
    files.save("abc", place)
    assert sent == [(["a", "b"], []), (["b"], []), ([], ["a"])]


def test_nodes_that_see_the_folder_work_in_it(tmp_path):
    files = TrialFiles(tmp_path, "token", PlainStore(tmp_path / "store"))
    (tmp_path / MARKER).write_text("token of another study")
    assert not files.is_shared
    (tmp_path / MARKER).write_text("token")
    assert files.open_folder("abc") == tmp_path / "abc"
