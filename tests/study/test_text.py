"""Words for people: what is handed around names neither passwords nor the home folder."""

import pytest

from study.text import hide_home


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/anna/photos", "~/photos"),
        ("--out=/home/anna/x", "--out=~/x"),
        ("No such file: '/home/anna/x.png'", "No such file: '~/x.png'"),
        ("/home/anna", "~"),
        ("/home/annabel/x", "/home/annabel/x"),
        ("/mnt/home/anna/x", "/mnt/home/anna/x"),
    ],
)
def test_the_home_folder_is_written_as_a_tilde(text, shown, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert hide_home(text) == shown
    monkeypatch.setenv("HOME", "/")
    assert hide_home(text) == text
