"""A study whose folder is an address: brought here, sent back, and never overwritten."""

import pytest

from study.errors import StudyError
from study.store.remote import RemoteFolder


def test_a_study_at_an_address_is_brought_back_and_a_run_that_could_not_send_is_not_overwritten(
    tmp_path,
):
    url = (tmp_path / "store").as_uri()
    first = tmp_path / "first"
    first.mkdir()
    (first / "study.json").write_text("{}")
    (first / "records.jsonl").write_text("1\n2\n")
    RemoteFolder(url, first).push()
    second = tmp_path / "second"
    RemoteFolder(url, second).pull()
    assert (second / "records.jsonl").read_text() == "1\n2\n"
    (second / "records.jsonl").write_text("1\n2\n3\n")
    RemoteFolder(url, second).pull()
    assert (second / "records.jsonl").read_text() == "1\n2\n3\n"


def test_records_of_different_runs_are_never_overwritten(tmp_path):
    url, here = (tmp_path / "store").as_uri(), tmp_path / "here"
    here.mkdir()
    (here / "records.jsonl").write_text("1\n2\n")
    RemoteFolder(url, here).push()
    (here / "records.jsonl").write_text("1\n3\n4\n")
    with pytest.raises(StudyError, match="hold different records"):
        RemoteFolder(url, here).pull()
    assert (here / "records.jsonl").read_text() == "1\n3\n4\n"


def test_an_address_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(StudyError, match="nonsense://x cannot"):
        RemoteFolder("nonsense://x", tmp_path / "folder").pull()
