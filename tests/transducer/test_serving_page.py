"""The page at `/` in a real browser, against a real server."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cpg import browser as browsers
from tests.cpg.browser import Browser
from tests.transducer import served
from tests.transducer.served import Live, live, until
from transducer.serving.page import page

needs_browser = pytest.mark.skipif(browsers.missing() is not None, reason=str(browsers.missing()))
TOKEN = "correct-horse-battery"


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = page().replace("http://www.w3.org/2000/svg", "")
    assert not any(word in text for word in ("http:", "https:", "src=", "@import", "url(//")), "loads something"
    assert "@" + "style@" not in text and "@" + "script@" not in text


@pytest.fixture(scope="module")
def servers(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Live]]:
    """An open one, and one that wants a token."""
    transducers = served.table(model_folder, served.saved(model_folder, tmp_path_factory.mktemp("served")))
    with live(transducers) as first, live(transducers, TOKEN) as second:
        yield {"open": first, "guarded": second}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


def opened(browser: Browser, server: Live) -> Browser:
    browser.visit(server.address + "/")
    until(lambda: browser.run("return document.documentElement.dataset.ready") == "true")
    return browser


def asked(browser: Browser) -> None:
    browser.run("document.documentElement.dataset.answered = 'no'; document.getElementById('send').click()")
    until(lambda: browser.run("return document.documentElement.dataset.answered") == "true")


def text_of(browser: Browser, identity: str) -> str:
    return browser.run(f"return document.getElementById('{identity}').textContent")


@needs_browser
def test_a_method_is_pasted_and_answered_with_its_graph_and_heat_map(browser: Browser, servers: dict[str, Live]) -> None:
    page, server = opened(browser, servers["open"]), servers["open"]
    assert page.run("return [...document.getElementById('transducer').options].map(o => o.value)") == list(served.TASKS)
    assert '"<AssertPlaceHolder>"' in page.run("return document.getElementById('code').value"), "an example stands there"
    page.run("const task = document.getElementById('transducer'); task.value = 'repair'; task.dispatchEvent(new Event('change'))")
    code = served.code_for("repair", 7)
    page.run("document.getElementById('language').value = 'java'; document.getElementById('code').value = arguments[0];"
             "document.getElementById('beams').value = 1; document.getElementById('tokens').value = 9", code)
    asked(page)
    expected = server.answer("repair", 7, beams=1, max_new_tokens=9)
    assert text_of(page, "answer") == (expected["answer"] or "(an empty answer)")
    assert text_of(page, "facts").startswith(f"{expected['output_tokens']} tokens from {expected['input_tokens']} in ")
    assert page.run("return document.querySelector('.heat-code').textContent") == code
    assert page.run("return [...document.querySelectorAll('[data-part]')].map(b => b.dataset.part)") == ["aligned", "prompts"]
    assert page.run("return document.querySelectorAll('.picture g.box').length") > 4
    assert page.run("return document.querySelectorAll('.heated').length") > 0
    assert page.log() == []


@needs_browser
def test_what_is_wrong_is_told_and_the_next_answer_comes(browser: Browser, servers: dict[str, Live]) -> None:
    page = opened(browser, servers["open"])
    page.run("document.getElementById('code').value = 'int f;'; document.getElementById('language').value = 'java'")
    asked(page)
    assert "does not hold the placeholder" in text_of(page, "problem")
    assert page.run("return document.getElementById('result').hidden && document.getElementById('read').hidden")
    page.run("const task = document.getElementById('transducer'); task.value = 'summarize'; task.dispatchEvent(new Event('change'));"
             "document.getElementById('tokens').value = 3")
    asked(page)
    assert page.run("return document.getElementById('problem').hidden") and not page.run("return document.getElementById('result').hidden")


@needs_browser
def test_a_token_is_asked_for(browser: Browser, servers: dict[str, Live]) -> None:
    page = opened(browser, servers["guarded"])
    assert not page.run("return document.getElementById('token-field').hidden")
    page.log()  # the refusal that made it show
    page.run("const field = document.getElementById('token'); field.value = arguments[0]; field.dispatchEvent(new Event('change'))", TOKEN)
    until(lambda: page.run("return document.getElementById('transducer').options.length") == len(served.TASKS))
    page.run("const task = document.getElementById('transducer'); task.value = 'summarize'; task.dispatchEvent(new Event('change'));"
             "document.getElementById('code').value = 'int f() { return 1; }'; document.getElementById('tokens').value = 3")
    asked(page)
    assert "tokens from" in text_of(page, "facts") and page.log() == []


@needs_browser
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_window(browser: Browser, servers: dict[str, Live], width: int) -> None:
    page = opened(browser, servers["open"])
    page.resize(width, 900)
    page.run("const task = document.getElementById('transducer'); task.value = 'summarize'; task.dispatchEvent(new Event('change'));"
             "document.getElementById('code').value = 'int f(int veryLong) { return ' + 'veryLong + '.repeat(40) + '1; }';"
             "document.getElementById('tokens').value = 3")
    asked(page)
    assert page.run("return document.documentElement.scrollWidth") == width
