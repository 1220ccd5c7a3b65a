"""Attention maps on the page, from the pictures that trials left."""

import base64
import json
from dataclasses import replace

import pytest
from test_page import read, write_study
from toy import run_all

from study.design.space import Arm
from study.report.page import write_report
from study.report.sections.pictures import arm_figure, effective_positions, tile

PICTURE = {
    "image": base64.b64encode(b"a picture").decode(), "label": "cat", "answer": "<dog>",
    "maps": {"attention after layer3": [[0.7, 0.1], [0.1, 0.1]], "probe's answer from layer3": [[1.0, 0.0], [0.0, 0.0]]},
}  # fmt: skip


def test_pictures_of_a_final_run_stand_on_the_page(toy, tmp_path):
    plan = toy.plan()
    arms = tuple(
        replace(arm, values={**arm.values, "pictures": 2}) if arm.name == "red" else arm
        for arm in plan.space.arms
    )
    words = replace(plan.words, pictures="pictures", pictures_title="Maps", pictures_note="Look.")
    plan = replace(plan, space=replace(plan.space, arms=arms), words=words)
    records = run_all(plan, toy.task, tmp_path)
    folder = write_study(tmp_path / "results", plan, records)
    first = next(record for record in records if record.stage == "final" and record.arm == "red")
    place = folder / "trials" / first.trial
    place.mkdir(parents=True)
    (place / "pictures.json").write_text(json.dumps([PICTURE, {**PICTURE, "answer": "cat"}]))
    write_report(folder)
    page = read(folder)
    assert "Red: the weights rest on 25 to 64 % of the positions" in page.text
    assert "Attention after layer3: on 2.6 of 4 positions" in page.text
    assert "Probe’s answer from layer3: on 1.0 of 4 positions" in page.text
    assert "cat, read as <dog>" in page.text
    assert (
        "n = 2 test images, every class in turn, 1 of them answered rightly; one run, seed 101; no interval."
        in page.text
    )
    nan = float("nan")
    for broken in (
        "[{",
        "[3]",
        "[" * 100_000,
        json.dumps([{**PICTURE, "label": "\ud800"}]),
        json.dumps([{**PICTURE, "image": 3}]),
        *(
            json.dumps([{**PICTURE, "maps": maps}])
            for maps in (None, {"a": []}, {"a": [["x"]]}, {"a": [[nan, nan]]}, {"a": [[]]})
        ),
    ):
        (place / "pictures.json").write_text(broken)
        write_report(folder)
        page = read(folder)
        assert "maps" in page.ids
        assert (
            "Of Red no readable pictures.json lies in the folders of the final trials" in page.text
        ), broken
        assert "fig-maps-red" not in page.ids
    later = [record for record in records if record.stage == "final" and record.arm == "red"][1]
    (folder / "trials" / later.trial).mkdir()
    (folder / "trials" / later.trial / "pictures.json").write_text(json.dumps([PICTURE]))
    write_report(folder)
    assert "one run, seed 102; no interval." in read(folder).text


def test_an_image_where_no_position_speaks_for_the_answer_is_shown_clear():
    part = {
        **PICTURE,
        "maps": {"attention after layer3": PICTURE["maps"]["attention after layer3"]},
    }
    arm = Arm("red", "Red", {}, {}, {})
    found = arm_figure(arm, 7, [PICTURE, part])
    assert found.frame.title == "Red: the weights rest on 25 to 64 % of the positions"
    row = found.rows[1]
    assert row.title == (
        "Probe’s answer from layer3: on 1.0 of 4 positions; for 1 no position speaks for the "
        "answer, it counts in no mean"
    )
    assert [tile.words for tile in row.tiles] == ["", "no position speaks for it"]
    assert 'class="heat"' not in row.tiles[1].svg
    assert found.frame.table.rows[1][-2:] == ["–", "–"]
    assert found.answers == ["cat, read as <dog>"] * 2


def test_an_arm_without_pictures_has_no_part_of_maps(finished, tmp_path):
    folder = write_study(tmp_path / "results", *finished)
    write_report(folder)
    assert "maps" not in read(folder).ids


def test_pictures_of_a_study_that_names_no_field_for_them_are_shown(finished, tmp_path):
    plan, records = finished
    folder = write_study(tmp_path / "results", plan, records)
    run = next(record for record in records if record.stage == "final")
    place = folder / "trials" / run.trial
    place.mkdir(parents=True)
    (place / "pictures.json").write_text(json.dumps([PICTURE]))
    write_report(folder)
    assert "fig-maps-red" in "".join(read(folder).ids)


def test_weights_are_drawn_in_steps_of_the_largest_and_words_are_escaped():
    svg = tile(PICTURE, "attention after layer3").svg
    assert '<path class="heat" opacity="0.6" d="M0 0h32v32h-32z"/>' in svg
    assert svg.count("M") == 4  # 0.1 of 0.7 is a seventh: the first step
    assert "<dog>" not in svg
    assert effective_positions([[0.25, 0.25], [0.25, 0.25]]) == pytest.approx(4)
