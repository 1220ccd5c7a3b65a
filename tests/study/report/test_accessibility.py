"""The page in a browser: axe-core finds nothing, in light, dark and on a phone, and no name runs as a script.

Needs Chromium on this machine; without it these are left out.
"""

import shutil
from dataclasses import replace

import pytest
import toy as toy_module
from report.test_page import write_study

from study.pooling.page import compare_studies
from study.report.page import write_report

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
VIEWS = {
    "light": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def browser():
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def violations(browser, page, view):
    """What axe-core finds: rules by name, with the first place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = browser.new_page(**view)
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(page.as_uri())
    tab.wait_for_timeout(1500)
    found = axe.run(tab).response["violations"]
    tab.close()
    assert errors == []
    return {one["id"]: one["nodes"][0]["html"][:200] for one in found}


def test_nothing_is_found_on_a_study_s_page_and_on_a_comparison(finished, tmp_path, browser):
    first, second = (write_study(tmp_path / name, *finished) for name in ("a", "b"))
    write_report(first)
    compared, _ = compare_studies([str(first), str(second)], tmp_path / "both")
    for page in (first / "report.html", compared):
        assert {name: violations(browser, page, view) for name, view in VIEWS.items()} == {
            name: {} for name in VIEWS
        }


def test_a_reader_hides_an_arm_by_the_keyboard_and_the_verdicts_stay(finished, tmp_path, browser):
    folder = write_study(tmp_path / "results", *finished)
    write_report(folder)
    tab = browser.new_page(**VIEWS["light"])
    tab.goto((folder / "report.html").as_uri())
    tab.wait_for_timeout(1500)
    row = tab.locator("#final tbody th > .name.green")
    assert row.is_visible()
    tab.locator(".arms input[value=green]").focus()
    tab.keyboard.press("Space")
    tab.wait_for_timeout(500)
    assert not row.is_visible()
    traces = tab.locator("#final .js-plotly-plot").first.evaluate(
        "chart => chart.data.filter(one => one.visible !== false).map(one => one.meta.arm)"
    )
    assert traces
    assert "green" not in traces
    assert tab.locator("#claim-green .plot").is_visible()
    tab.close()


HOSTILE = (
    """'"></style></script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>"""
)


def test_names_of_arms_classes_and_folders_and_texts_of_records_run_nothing(tmp_path, browser):
    arms = tuple(replace(arm, title=f"{arm.title} {HOSTILE}") for arm in toy_module.SPACE.arms)
    claims = tuple(replace(one, words=HOSTILE) for one in toy_module.SPACE.claims)
    space = replace(
        toy_module.SPACE, question=HOSTILE, arms=arms, claims=claims, threats=(HOSTILE,)
    )
    data = replace(
        toy_module.DATA,
        name=HOSTILE,
        title=HOSTILE,
        classes=(HOSTILE, "b"),
        about=(("Data", HOSTILE, HOSTILE),),
        warnings=(HOSTILE,),
        provenance=((HOSTILE, HOSTILE),),
    )
    plan = toy_module.plan(space=space, data=data, search_trials=3, final_seeds=6)
    records = [
        replace(one, device=HOSTILE, commit=HOSTILE, why=HOSTILE, error=HOSTILE)
        for one in toy_module.run_all(plan, toy_module.task, tmp_path / "work")
    ]
    records.append(replace(records[0], status="failed", result={}, trial="0" * 10))
    folder = write_study(tmp_path / HOSTILE.replace("/", "-"), plan, records)
    write_report(folder)
    compared, _ = compare_studies(
        [str(folder), str(write_study(tmp_path / "b", plan, records))], tmp_path / "both"
    )
    for page in (folder / "report.html", compared):
        tab = browser.new_page(**VIEWS["light"])
        tab.goto(page.as_uri())
        tab.wait_for_timeout(1500)
        assert tab.evaluate("window.hacked") is None
        assert tab.locator("img[src=x]").count() == 0
        tab.close()
