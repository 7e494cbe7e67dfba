"""The page of a comparison in a real browser: sorting, filters, charts, both widths."""
from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cpg import browser as browsers
from tests.cpg.browser import Browser
from tests.transducer.comparison_folder import EXAMPLES, HOSTILE
from transducer.comparison_report import drilldown
from transducer.comparison_report.folder import read_comparison

needs_browser = pytest.mark.skipif(browsers.missing() is not None, reason=str(browsers.missing()))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile"), 1280, 900) as found:
        yield found


@pytest.fixture
def opened(browser: Browser, compared_report: Path) -> Browser:
    browser.open(compared_report / "report.html")
    assert browser.log() == []
    return browser


def column(opened: Browser, label: str, place: int) -> list[str]:
    return opened.run("return [...document.querySelectorAll(`[aria-label=\"${arguments[0]}\"] tbody tr`)]"
                      ".map(row => row.children[arguments[1]].firstChild.textContent)", label, place)


def press(opened: Browser, selector: str) -> None:
    opened.run("document.querySelector(arguments[0]).click()", selector)


@needs_browser
def test_tables_sort(opened: Browser) -> None:
    before = column(opened, "Scores", 0)
    head = '[aria-label="Scores"] thead th:nth-child({}) button'
    press(opened, head.format(3))
    scores = [float(text.split(" ")[0]) for text in column(opened, "Scores", 2) if text != "–"]
    assert scores == sorted(scores, reverse=True) and len(scores) == 5
    assert column(opened, "Scores", 2)[-1] == "–", "what has no figure stays last"
    press(opened, head.format(3))
    scores = [float(text.split(" ")[0]) for text in column(opened, "Scores", 2) if text != "–"]
    assert scores == sorted(scores) and column(opened, "Scores", 2)[-1] == "–"
    press(opened, head.format(1))
    assert column(opened, "Scores", 0) == sorted(before)
    sorting = "return [...document.querySelectorAll('[aria-label=\"Scores\"] thead th')].map(th => th.getAttribute('aria-sort'))"
    assert opened.run(sorting) == ["ascending", "none", "none", "none", "none"]


def listed(opened: Browser) -> list[str]:
    return opened.run("return [...document.querySelectorAll('#list button')].map(button => button.dataset.id)")


def set_to(opened: Browser, control: str, value: str) -> None:
    opened.run("const control = document.getElementById(arguments[0]); control.value = arguments[1];"
               "control.dispatchEvent(new Event(control.tagName === 'INPUT' ? 'input' : 'change'))", control, value)


@needs_browser
def test_examples_are_filtered(opened: Browser, compared: Path) -> None:
    comparison = read_comparison(compared)
    seeds = dict(drilldown.methods_with_answers(comparison))

    def right(method: str, place: int) -> bool:
        hits = [comparison.predictions[method, seed][place]["prediction"] == EXAMPLES[place].target for seed in seeds[method]]
        return 2 * sum(hits) > len(hits)

    def answers(method: str, place: int) -> list[str]:
        return [comparison.predictions[method, seed][place]["prediction"] for seed in seeds[method]]

    ids = [example.id for example in EXAMPLES]
    every = range(len(ids))
    assert listed(opened) == ids
    expected = {
        ("", "correct"): [any(right(method, place) for method in seeds) for place in every],
        ("", "incorrect"): [not any(right(method, place) for method in seeds) for place in every],
        ("", "disputed"): [len({right(method, place) for method in seeds}) == 2 for place in every],
        ("", "differing"): [len({answer for method in seeds for answer in answers(method, place)}) > 1 for place in every],
        ("3", "correct"): [right("lora", place) for place in every],
        ("3", "incorrect"): [not right("lora", place) for place in every],
        ("3", "differing"): [answers("lora", place) != answers("transducer", place) for place in every],
    }
    for (method, state), kept in expected.items():
        assert 0 < sum(kept) < len(ids), "the filter has something to do"
        set_to(opened, "method", method)
        set_to(opened, "state", state)
        assert listed(opened) == [name for name, keep in zip(ids, kept) if keep], (method, state)
        assert opened.run("return document.getElementById('found').textContent") == f"{sum(kept)} of 24"
    set_to(opened, "method", "0")
    assert opened.run("return document.getElementById('state').value") == "all", "the reference does not differ from itself"
    set_to(opened, "query", "LOAD(17) ==")
    assert listed(opened) == ["example-17"]
    set_to(opened, "query", "nothing like it")
    assert listed(opened) == [] and "No example" in opened.run("return document.getElementById('list').textContent")


@needs_browser
def test_an_example_shows_source_gold_answers_and_graph(opened: Browser) -> None:
    set_to(opened, "query", "example-05")
    press(opened, "#list button")
    shown = opened.run("return document.getElementById('example').innerText")
    assert HOSTILE.replace("\u2028", "") in shown.replace("\u2028", "") and "test_5" in shown
    assert opened.run("return document.querySelectorAll('#example img').length") == 0
    assert opened.run("return document.querySelector('#example mark').textContent") == '"<AssertPlaceHolder>"'
    assert opened.run("return document.querySelectorAll('#example .graph .box').length") > 8
    assert opened.run("return getComputedStyle(document.querySelector('#example .graph .line.DDG')).stroke") == "rgb(37, 99, 235)"
    rows = opened.run("return [...document.querySelectorAll('.answers tbody tr')].map("
                      "row => [row.children[1].querySelectorAll('ins, del').length > 0, row.children[2].textContent])")
    assert not any(marked and verdict == "right" for marked, verdict in rows), "only wrong answers have marks"
    assert opened.log() == []


@needs_browser
def test_differences_of_answers_are_marked(opened: Browser) -> None:
    marks = opened.run(
        "return [...document.querySelectorAll('#list button')].flatMap(button => { button.click(); const gold = "
        "document.querySelector('#example .gold').textContent;"
        "return [...document.querySelectorAll('.answers tbody tr')].map(row => {"
        "const pre = row.querySelector('td pre'); if (!pre) return null; const own = pre.cloneNode(true);"
        "own.querySelectorAll('del').forEach(d => d.remove()); return [gold, own.textContent, row.lastChild.textContent] }) })")
    marks = [mark for mark in marks if mark]
    assert len(marks) > 50
    wrong = [mark for mark in marks if mark[2] == "wrong"]
    assert wrong and all(gold == own for gold, own, verdict in marks if verdict == "right")
    texts = {text for text in (mark[1] for mark in wrong)}
    assert any(text.startswith("assert not load") for text in texts), "without what is struck through it is the answer"


@needs_browser
def test_of_a_loss_lower_is_better(opened: Browser) -> None:
    press(opened, '#differences [data-value="test_loss"]')
    rows = opened.run("return [...document.querySelectorAll('[data-metric=test_loss] .chart.wide .row')].map("
                      "row => [row.querySelector('.value').textContent, row.querySelector('.verdict').textContent])")
    assert len(rows) == 4
    assert {verdict for _, verdict in rows} > {"worse"}
    for value, verdict in rows:
        assert verdict == "tie" or (verdict == "better") == value.startswith("−"), (value, verdict)
    numbers = [float(value.split(" ")[0].replace("−", "-")) for value, _ in rows]
    assert numbers == sorted(numbers), "the best first"
    assert "lower is better" in opened.run("return document.querySelector('#quality [data-metric=test_loss]').textContent")


@needs_browser
def test_a_metric_is_chosen_everywhere(opened: Browser) -> None:
    shown = "return [...document.querySelectorAll('[data-metric]')].filter(part => !part.hidden).map(part => part.dataset.metric)"
    assert opened.run(shown) == ["exact_match", "exact_match"]
    press(opened, '#quality [data-value="chrf"]')
    assert opened.run(shown) == ["chrf", "chrf"]
    pressed = "return [...document.querySelectorAll('[data-choice] [aria-pressed=\"true\"]')].map(button => button.dataset.value)"
    assert opened.run(pressed) == ["chrf", "chrf"]


@needs_browser
def test_the_legend_switches_curves(opened: Browser) -> None:
    visible = ("return [...document.querySelectorAll('.chart.wide .curve')]"
               ".filter(line => line.getBoundingClientRect().width).length")
    count = opened.run(visible)
    assert count == 10, "five methods have logs, in two charts"
    press(opened, '#legend [data-method="lora:params=17424"]')
    assert opened.run(visible) == 8
    press(opened, '#legend [data-all=""]')
    assert opened.run(visible) == 0
    press(opened, '#legend [data-all="true"]')
    assert opened.run(visible) == count


@needs_browser
def test_points_tell_their_numbers(opened: Browser) -> None:
    opened.run("document.addEventListener('scroll', () => { window.scrolled = true }, { once: true });"
               "document.querySelector('#quality').scrollIntoView()")
    deadline = time.monotonic() + 20
    # Scrolling, which is told of later, hides the tip.
    while not opened.run("return window.scrolled === true"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    opened.hover('#quality .chart.wide .point[data-method="lora"] .dot')
    assert opened.run("return document.getElementById('tip').hidden") is False
    tip = opened.run("return document.getElementById('tip').textContent")
    assert tip.splitlines()[0] == "lora" and "trained weights: 98,304" in tip and "exact match" in tip
    opened.hover("h1")
    assert opened.run("return document.getElementById('tip').hidden") is True


@needs_browser
@pytest.mark.parametrize("width", [480, 1280])
def test_texts_of_charts_do_not_overlap(opened: Browser, width: int) -> None:
    opened.resize(width, 900)
    clashes = opened.run(
        "return [...document.querySelectorAll('.chart')].filter(chart => chart.getBoundingClientRect().width).flatMap(chart => {"
        "const frame = chart.getBoundingClientRect(); const texts = [...chart.querySelectorAll('text')];"
        "const boxes = texts.map(text => text.getBoundingClientRect());"
        "const out = texts.filter((_, i) => boxes[i].left < frame.left - 1 || boxes[i].right > frame.right + 1"
        " || boxes[i].top < frame.top - 1);"
        "const over = texts.filter((_, i) => boxes.some((other, j) => j < i"
        " && boxes[i].left < other.right - 1 && other.left < boxes[i].right - 1"
        " && boxes[i].top < other.bottom - 3 && other.top < boxes[i].bottom - 3));"
        "return [...out, ...over].map(text => `${chart.getAttribute('class')}: ${text.textContent}`) })")
    assert clashes == []


@needs_browser
def test_the_theme_changes(opened: Browser) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = opened.run(ground)
    press(opened, "#theme")
    assert {before, opened.run(ground)} == {"rgb(255, 255, 255)", "rgb(18, 21, 27)"}
    opened.type("t")
    assert opened.run(ground) == before


@needs_browser
@pytest.mark.parametrize("width", [480, 1280])
def test_the_page_is_as_wide_as_the_window(opened: Browser, width: int) -> None:
    opened.resize(width, 900)
    try:
        assert opened.run("const root = document.documentElement; return [root.clientWidth, root.scrollWidth]") == [width, width]
        shown = "return document.querySelector('.chart.{}').getBoundingClientRect().width > 0"
        assert opened.run(shown.format("narrow")) is (width == 480) and opened.run(shown.format("wide")) is (width == 1280)
    finally:
        opened.resize(1280, 900)
