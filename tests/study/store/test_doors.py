"""What a study's folder holds is checked once, where it is read: types, arms, ends, whose it is."""

import copy
import html
import json
import os
import random
import shutil
from dataclasses import replace

import pytest
import toy as toy_module
from report.test_page import write_study

from study.analysis.results import Results
from study.design.record import parse_record
from study.errors import StudyError
from study.files import read_bytes
from study.options import Options
from study.report.page import write_report
from study.search.quasi_random import sobol_points
from study.store.directory import check_folder, local_folder
from study.store.ledger import Ledger, read_records
from study.store.remote import RemoteFolder
from study.store.study_file import read_study
from study.text import hide_passwords

SCRIPT = "</style><script>alert(1)</script>"
VALUES = [
    None,
    True,
    -1,
    1.5,
    1e23,
    10**400,
    float("nan"),
    "x",
    "",
    [],
    {},
    ["x"],
    {"a": 1},
    SCRIPT,
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    plan = toy_module.plan(search_trials=3, final_seeds=6)
    records = toy_module.run_all(plan, toy_module.task, folder / "work")
    return write_study(folder / "study", plan, records)


def leaves(value, path=()):
    """The paths of all parts of a JSON value."""
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else ()
    children = enumerate(value) if isinstance(value, list) else children
    for key, inner in children:
        yield from leaves(inner, (*path, key))


def changed(value, path, new):
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return value


def page_or_sentence(folder):
    """The page of a folder, or the sentence that says why there is none."""
    try:
        write_report(folder)
    except StudyError as problem:
        return html.escape(str(problem))  # a sentence of a terminal; only a page may run a script
    return (folder / "report.html").read_text()


@pytest.mark.parametrize("seed", range(40))
def test_a_study_json_with_a_wrong_value_ends_in_a_sentence_or_in_a_page(base, tmp_path, seed):
    draw, folder = random.Random(seed), tmp_path / "edited"
    shutil.copytree(base, folder)
    values = json.loads((base / "study.json").read_text())
    path, new = draw.choice(list(leaves(values))), draw.choice(VALUES)
    (folder / "study.json").write_text(json.dumps(changed(values, path, new)))
    found = page_or_sentence(folder)
    assert SCRIPT not in found, (path, new)
    assert found.startswith("<!doctype html>") or "Error" not in found, (path, new)


@pytest.mark.parametrize("seed", range(40))
def test_a_record_with_a_wrong_value_ends_in_a_sentence_or_in_a_page(base, tmp_path, seed):
    draw, folder = random.Random(seed), tmp_path / "edited"
    shutil.copytree(base, folder)
    lines = (base / "records.jsonl").read_text().splitlines()
    number = draw.randrange(len(lines))
    values = json.loads(lines[number])
    path, new = draw.choice(list(leaves(values))), draw.choice(VALUES)
    lines[number] = json.dumps(changed(values, path, new))
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
    found = page_or_sentence(folder)
    assert SCRIPT not in found, (path, new)
    assert found.startswith("<!doctype html>") or "Error" not in found, (path, new)


@pytest.mark.parametrize(
    ("path", "new", "sentence"),
    [
        (
            ("plan", "space", "arms", 1, "default"),
            "",
            "plan.space.arms.1.default must be a valid dic",
        ),
        (
            ("plan", "space", "question"),
            None,
            "plan.space.question must be a valid string; got None",
        ),
        (("plan", "space", "arms", 0, "name"), SCRIPT, "an arm's name must be letters, digits"),
        (("plan", "sizes", "search_trials"), -1, "search_trials must be 0 or more; got -1"),
        (("plan", "sizes", "replica_seeds"), 10**30, "the replica stage takes at most 20 seeds"),
        (("plan", "base"), 3, "plan.base must be a valid dictionary; got 3"),
        (("plan", "space", "claims", 0, "words"), "\ud800", "no text in UTF-8"),
        (("plan", "space", "arms", 0, "search"), {"lr": "x"}, "a part of it has another form"),
        (("plan", "space", "arms", 0, "search"), {"lr": {"low": 1}}, "a part of it has another"),
    ],
)
def test_the_sentence_names_file_and_field(base, tmp_path, path, new, sentence):
    folder = tmp_path / "edited"
    shutil.copytree(base, folder)
    values = json.loads((base / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(changed(values, path, new)))
    with pytest.raises(StudyError) as problem:
        write_report(folder)
    assert sentence in str(problem.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "\x00", '{"plan": []}', "3"])
def test_a_study_json_that_is_none_ends_in_a_sentence(base, tmp_path, text):
    folder = tmp_path / "edited"
    shutil.copytree(base, folder)
    (folder / "study.json").write_text(text)
    with pytest.raises(StudyError, match=r"study\.json must be the plan of a study"):
        write_report(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions": {"torch": ["x"]}}, "versions.torch must be a valid string"),
        ({"point": {"lr": ["x"]}}, "point.lr must be a number or a word"),
        ({"curve": [{"epoch": 1, "loss": 10**400}]}, "a number is too large"),
        ({"curve": [{"epoch": 1, "loss": 1.0, "step": "x"}]}, "curve.0.step must be a number"),
        ({"arm": 7}, "arm must be a valid string; got 7"),
        ({"ended": "yesterday"}, "ended must be a time as 2026-01-31T12:00:00Z; got 'yesterday'"),
        ({"seconds": float("inf")}, "seconds must be 0 or more"),
        ({"chain": {"plan": "p", "previous": "q", "own": {}}}, "chain must hold three texts"),
    ],
)
def test_a_line_that_is_no_record_is_named_with_its_field(base, change, words):
    values = json.loads((base / "records.jsonl").read_text().splitlines()[0])
    with pytest.raises(StudyError) as problem:
        parse_record(json.dumps({**values, **change}), "line 7 of records.jsonl")
    assert "line 7 of records.jsonl must be a trial's record" in str(problem.value)
    assert words in str(problem.value)


def test_a_record_of_an_arm_that_the_plan_has_not_is_refused_by_its_line(base, tmp_path):
    folder = tmp_path / "edited"
    shutil.copytree(base, folder)
    lines = (folder / "records.jsonl").read_text().splitlines()
    lines[4] = json.dumps({**json.loads(lines[4]), "arm": "rmsprop"})
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
    study = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**study, "hash": "edited"}))
    with pytest.raises(StudyError):
        write_report(folder)


def test_a_whole_last_line_without_its_end_is_kept_and_half_a_line_is_set_aside(base, tmp_path):
    folder = tmp_path / "edited"
    shutil.copytree(base, folder)
    file, count = folder / "records.jsonl", len(read_records(base))
    text = file.read_bytes()
    file.write_bytes(text[:-1])
    assert len(read_records(folder)) == count
    Ledger(folder).close()
    assert file.read_bytes() == text
    file.write_bytes(text + text[:40])
    assert len(read_records(folder)) == count
    Ledger(folder).close()
    assert file.read_bytes() == text
    assert (folder / "records-torn.txt").read_bytes() == text[:40] + b"\n"


def test_records_with_other_ends_of_lines_are_refused_and_left_whole(base, tmp_path):
    folder = tmp_path / "edited"
    shutil.copytree(base, folder)
    file = folder / "records.jsonl"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r"))
    before = file.read_bytes()
    with pytest.raises(StudyError, match="with a line feed at its end"):
        Ledger(folder)
    assert file.read_bytes() == before


def test_a_study_begins_in_a_new_folder_an_empty_one_or_its_own(base, tmp_path):
    check_folder(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty")
    check_folder(base)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "holiday.jpg").touch()
    with pytest.raises(StudyError, match=r"holds 'holiday\.jpg' and no study"):
        check_folder(photos)
    with pytest.raises(StudyError, match=r"--out must be a folder; .* is none"):
        check_folder(photos / "holiday.jpg")
    with pytest.raises(StudyError, match="File name too long"):
        check_folder(tmp_path / ("x" * 300))
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("dangling", "loop"):
        with pytest.raises(StudyError, match=f"{name} is a link to nothing"):
            check_folder(tmp_path / name)
    orphaned = tmp_path / "orphaned"
    orphaned.mkdir()
    shutil.copy(base / "records.jsonl", orphaned)
    with pytest.raises(StudyError, match=r"records\.jsonl without the study\.json"):
        check_folder(orphaned)


def test_pipes_devices_and_folders_are_no_files_to_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place, kind in (
        (tmp_path / "pipe", "a pipe or"),
        ("/dev/zero", "a pipe or"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(OSError, match=kind):
            read_bytes(type(tmp_path)(place))


def test_passwords_reach_no_name_and_no_line():
    out = "memory://user:geheim@bucket/study"
    assert local_folder(out).as_posix() == "results/bucket-study"
    words = ("--out", out, "--mlflow", "http://me:geheim@host/x", "--plan")
    assert Options(out=out, words=words).lasting_words == (
        "--out", "memory://…@bucket/study", "--mlflow", "http://…@host/x",
    )  # fmt: skip
    assert hide_passwords("s3://bucket/a@b") == "s3://bucket/a@b"


def test_a_quoted_tilde_is_the_home_folder_and_an_address_names_a_place(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert Options(out="~/x", dataset="~").out == "/home/me/x"
    assert Options(dataset="~").dataset == "/home/me"
    assert Options(out="~x/y").out == "~x/y"
    for out in ("s3:///", "s3://", "memory:/", "://"):
        with pytest.raises(StudyError, match="--out must name a place at its address"):
            Options(out=out)


def test_a_study_in_which_no_run_has_a_number_says_so(base, tmp_path):
    folder = tmp_path / "edited"
    plan = toy_module.plan(search_trials=3, final_seeds=6)
    records = [
        replace(one, result={**one.result, "score": float("nan")}, link=None)
        if one.stage == "final"
        else replace(one, link=None)
        for one in read_records(base)
    ]
    write_study(folder, plan, records)
    assert "18 ended without a finite score" in write_report(folder).answer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stage": "a\nb"}, "stage must be one of replica, search"),
        ({"commit": "\ud800"}, "no text in UTF-8"),
        ({"chain": {"plan": "p"}}, "a part of it has another form"),
    ],
)
def test_a_stage_half_a_letter_and_half_a_chain_are_named(base, change, words):
    values = json.loads((base / "records.jsonl").read_text().splitlines()[0])
    with pytest.raises(StudyError) as problem:
        parse_record(json.dumps({**values, **change}), "line 7 of records.jsonl")
    assert words in str(problem.value)


def test_a_record_without_the_point_that_the_plan_tunes_is_refused_by_its_line(base):
    study = read_study(base, sobol_points)
    records = read_records(base)
    records[2] = replace(records[2], point={})
    with pytest.raises(StudyError, match=r"line 3 of records\.jsonl .* its point has no 'lr'"):
        Results(study.plan, records)


def test_a_folder_whose_name_is_no_text_takes_a_study(tmp_path):
    place = tmp_path / os.fsdecode(b"b\xff")
    plan = toy_module.plan(search_trials=3, final_seeds=6)
    write_study(place, plan, [])
    write_report(place)
    assert (place / "report.html").exists()


def test_an_address_of_no_store_leaves_no_folder_here(tmp_path):
    place = tmp_path / "mirror"
    with pytest.raises(StudyError, match=r"foo://…@a/b cannot \(Protocol not known: foo"):
        RemoteFolder("foo://me:geheim@a/b", place).pull()
    assert not place.exists()
