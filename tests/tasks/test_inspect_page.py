"""The page of `python -m tasks inspect`: parsed, and opened in a real browser."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import get_task, load_source
from tasks.inspection import Figures, inspect_dataset
from tasks.inspection.charts import histogram_svg
from tasks.inspection.distribution import histogram
from tasks.inspection.page import render
from tests.cpg import browser as browsers
from tests.cpg.browser import Browser
from tests.tasks.inspection_data import HOSTILE, Page, repairs

needs_browser = pytest.mark.skipif(browsers.missing() is not None, reason=str(browsers.missing()))


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    task = get_task("repair")
    folder = repairs(tmp_path_factory.mktemp("<b>data") / "repairs")
    return inspect_dataset(load_source(f"file:{folder}", task, progress=False), task, examples=8, near_duplicates=0.5)


@pytest.fixture(scope="module")
def text(figures: Figures) -> str:
    return render(figures)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_is_whole_and_loads_nothing(text: str, page: Page) -> None:
    assert page.problems == [] and page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.links and all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert "default-src 'none'" in text
    assert not [tag for tag, named in page.tags if named.get("src") or tag in ("link", "img", "object", "embed", "base")]
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)|fetch\(", text)


def test_texts_of_the_data_stay_texts(text: str, page: Page, figures: Figures) -> None:
    assert "<b>data" not in text and any("<b>data" in shown for shown in page.texts)
    assert "\x1b" not in text
    shown = "".join(page.texts)
    assert HOSTILE[:HOSTILE.index("script>")] in shown
    assert all(example.id in shown for _, example in figures.examples)


def test_every_histogram_is_drawn(page: Page, figures: Figures) -> None:
    drawn = [named for tag, named in page.tags if tag == "svg" and "aria-label" in named]
    assert len(drawn) == 4 + 2 * len(figures.graphs) == 8
    for named in drawn:
        assert re.match(r"Histogram of [\w ]+: train median [\d,]+", named["aria-label"])
    # No source is near the limit of 400 tokens; the longest target has 61 or more of 150, so that its limit is in sight.
    assert len(page.of_class("line", "limit")) == 1
    assert len(page.of_class("path", "step")) == 2 * len(drawn)


def test_bars_are_as_high_as_the_shares() -> None:
    # One third of the numbers are 0 and two thirds are 1; the second group is all 2. Limit 3.
    drawn = Page(histogram_svg(histogram({"train": [0, 1, 1], "valid": [], "test": [2]}, "things", limit=3)))
    low, high = (float(named["height"]) for named in drawn.of_class("rect", "bar"))
    assert high == pytest.approx(2 * low, rel=0.01)
    (step,) = drawn.of_class("path", "test")
    assert len(drawn.of_class("rect", "touch")) == 4 and len(drawn.of_class("line", "limit")) == 1
    assert "1: train 66.7 % (2), test 0.0 % (0)" in drawn.texts
    top = min(float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", step["d"]))
    floor = max(float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", step["d"]))
    assert floor - top == pytest.approx(3 * low, rel=0.01)


def test_nothing_to_count() -> None:
    assert "<svg" not in histogram_svg(histogram({"train": []}, "things"))


def test_examples_stand_beside_their_graphs(page: Page, figures: Figures) -> None:
    assert len(page.frames) == 2 * len(figures.examples)  # source and target are code
    for (_, example), viewer in zip(figures.examples, page.frames[::2]):
        data = json.loads(viewer.split('id="data">')[1].split("</script>")[0])
        assert "".join(piece for piece, _, _ in data["pieces"]) == example.source
        assert "default-src 'none'" in viewer
    assert len([tag for tag, _ in page.tags if tag == "ins"]) >= 5  # `>` became `>=`


def test_the_same_figures_give_the_same_page(figures: Figures, text: str) -> None:
    assert render(figures) == text


def test_sections_without_content_are_left_out(figures: Figures) -> None:
    task = get_task("repair")
    page = Page(render(inspect_dataset(load_source(figures.name, task, progress=False), task, graphs=0, examples=0)))
    assert page.problems == [] and {"lengths", "metadata", "facts"} <= set(page.ids)
    assert not {"graphs", "examples", "drops", "near-duplicates"} & set(page.ids) and page.frames == []
    assert {"graphs", "examples", "near-duplicates"} <= set(Page(render(figures)).ids)


def test_a_task_with_a_placeholder_shows_its_target(tmp_path: Path) -> None:
    task = get_task("assert")
    row = {"source": 'def test():\n    "<AssertPlaceHolder>"\n', "target": "assert f() == 17",
           "context": {"class": "class A<T>:\n    def f()", "callees": [], "imports": ["import a", "import b"]}}
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    page = Page(render(inspect_dataset(load_source(f"file:{tmp_path}", task, progress=False), task)))
    assert page.problems == [] and "assert f() == 17" in page.texts and len(page.frames) == 1
    assert "class\n    class A<T>:\n        def f()\nimports\n    import a\n    import b" in page.texts


# ---------------------------------------------------------------------------------------------------- with a browser
@pytest.fixture(scope="module", params=[1280, 480])
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, text: str) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("profile")
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    with Browser(folder, request.param, 900) as found:
        found.open(path)
        yield found


@needs_browser
def test_the_page_opens_without_a_complaint_and_fits(browser: Browser) -> None:
    assert browser.log() == []
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    wide = ("return [...document.querySelectorAll('.card, .tile, h1, pre')].filter(e => e.checkVisibility() && "
            "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)")
    assert browser.run(wide) == []


@needs_browser
def test_viewers_run_and_follow_the_theme(browser: Browser) -> None:
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true); document.querySelector('#examples').scrollIntoView()")
    ready = ("const done = arguments[0]; return [...document.querySelectorAll('.viewer iframe')].slice(0, 1)"
             ".every(f => f.contentDocument && f.contentDocument.documentElement.dataset.ready === 'true')")
    for _ in range(100):
        if browser.run(ready):
            break
    assert browser.run(ready)
    boxes = "return document.querySelector('.viewer iframe').contentDocument.querySelectorAll('.box').length"
    assert browser.run(boxes) > 3
    browser.run("document.getElementById('theme').click()")
    colour = "return getComputedStyle({}).backgroundColor"
    outer = browser.run(colour.format("document.body"))
    inner = browser.run(colour.format("document.querySelector('.viewer iframe').contentDocument.body"))
    assert outer == inner == "rgb(18, 21, 27)"
    browser.run("document.getElementById('theme').click()")
    assert browser.run(colour.format("document.body")) == "rgb(255, 255, 255)"


@needs_browser
def test_a_viewer_takes_the_mouse_once_it_is_clicked(browser: Browser) -> None:
    browser.run("document.querySelector('.viewer').scrollIntoView({block: 'center'})")
    browser.click(".viewer .cover")
    assert browser.run("return document.querySelector('.viewer').classList.contains('used')")
    browser.hover("nav")
    assert not browser.run("return document.querySelector('.viewer').classList.contains('used')")
