"""What was read, as data and as a page: the data agrees with the weights, the page with the data."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch

from cpg import CodePropertyGraph, extract
from tests.cpg import browser as browsers
from tests.cpg.browser import Browser
from tests.transducer import served, tiny
from transducer import predict
from transducer.backbone import load_backbone
from transducer.commands import command_line
from transducer.explanation.page import explanation_page
from transducer.explanation.reading import reading
from transducer.model import TransducerModel
from transducer.prepare import PreparationReport, Preparer
from transducer.tensors import Collator
from transducer.text import EncodedSource

needs_browser = pytest.mark.skipif(browsers.missing() is not None, reason=str(browsers.missing()))
CODE = '''def test_area():
    size = "é\U0001f600 </script> @tips@"
    if size:
        "<AssertPlaceHolder>"

def area(size):
    return size * size
'''


class Explained:
    """A transducer, one input of it, and what is said about that."""

    def __init__(self, model_folder: Path, folder: Path, name: str = "assert"):
        self.model = TransducerModel.from_pretrained(served.saved(model_folder, folder)[name],
                                                     load_backbone(str(model_folder), "float32", device="cpu"), engine="torch")
        preparer = tiny.preparer(self.model.backbone)
        self.encoded: EncodedSource
        self.encoded, self.inputs = preparer.model_input(CODE, "python", PreparationReport())
        self.graph: CodePropertyGraph = extract(self.encoded.text, "python")
        batch = Collator(self.model.backbone.pad_token_id)([self.inputs])
        self.weights = {name: found[0] for name, found in self.model.explain(**batch).items()}
        self.data = reading(self.model.backbone, self.encoded, self.graph, self.model.settings.fusion, self.weights)


@pytest.fixture(scope="module")
def explained(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Explained:
    return Explained(model_folder, tmp_path_factory.mktemp("explained"))


# ------------------------------------------------------------------------------------------------------ data
def test_the_data_is_plain_and_its_tokens_lie_in_the_code(explained: Explained) -> None:
    data = json.loads(json.dumps(explained.data, allow_nan=False))
    units = data["code"].encode("utf-16-le")
    assert data["code"] == explained.encoded.text and len(data["tokens"]) == len(explained.encoded.token_ids)
    shown = [token for token in data["tokens"] if token[1] >= 0]
    assert len(shown) == int((explained.encoded.start_byte >= 0).sum()) > 20
    whole = [text for text, start, end in shown if units[2 * start:2 * end].decode("utf-16-le") == text]
    assert len(whole) >= len(shown) - 6, "only tokens that are parts of a character may differ"
    assert "area" in whole and data["tokens"][-1] == ["</s>", -1, -1]


def test_nodes_have_the_tokens_that_cover_them(explained: Explained) -> None:
    nodes, graph, tokens = explained.data["nodes"], explained.graph, explained.data["tokens"]
    assert {len(column) for column in nodes.values()} == {len(graph.nodes)}
    for node in range(len(graph.nodes)):
        covered = tokens[nodes["first"][node]:nodes["last"][node]]
        if graph.nodes.name[node] == "area" and graph.nodes.label[node] == "METHOD" and graph.nodes.point[node] is None:
            assert (covered[0][0].strip(), covered[-1][0].strip()) == ("def", "size")
    aligned = explained.inputs.graph.token_node
    for token, node in enumerate(aligned):
        if node >= 0:
            assert nodes["first"][node] <= token < nodes["last"][node]


def test_nodes_beyond_the_window_are_there_without_tokens(explained: Explained) -> None:
    backbone = explained.model.backbone
    encoded, inputs = Preparer(backbone, tiny.TASK, 24, 8, reach=200).model_input(CODE, "python", PreparationReport())
    graph = extract(encoded.text, "python")
    assert encoded.text == CODE and len(encoded.token_ids) == 24
    weights = {name: found[0] for name, found in explained.model.explain(**Collator(backbone.pad_token_id)([inputs])).items()}
    data = reading(backbone, encoded, graph, explained.model.settings.fusion, weights)
    first, last = np.array(data["nodes"]["first"]), np.array(data["nodes"]["last"])
    shown = encoded.start_byte >= 0
    outside = np.array(graph.nodes.start_byte) >= encoded.end_byte[shown].max()
    assert outside.sum() > 5 and (first[outside] == last[outside]).all() and (first[~outside] < last[~outside]).any()
    assert data["code"] == CODE and len(data["tokens"]) == 24


def test_every_box_is_a_node_around(explained: Explained) -> None:
    nodes, boxes = explained.data["nodes"], explained.data["picture"]["boxes"]
    assert explained.data["picture"]["svg"].count('<g class="box ') == len(boxes) > 8
    assert set(nodes["box"]) <= {*boxes, -1} and all(nodes["box"][node] == node for node in boxes)
    graph = explained.graph
    for node, box in enumerate(nodes["box"]):
        if box >= 0:
            assert graph.nodes.start_byte[box] <= graph.nodes.start_byte[node] and graph.nodes.end_byte[node] <= graph.nodes.end_byte[box]


def test_readings_are_the_heaviest_weights(explained: Explained) -> None:
    assert [(part["name"], part["readers"]) for part in explained.data["parts"]] == [
        ("attention", "tokens"), ("aligned", "tokens"), ("prompts", "prompts")]
    for part in explained.data["parts"]:
        weights = explained.weights[part["name"]]
        assert len(part["rows"]) == len(weights)
        for (nothing, found), row in zip([*part["rows"], part["mean"]], [*weights, weights.mean(0)]):
            assert nothing == pytest.approx(float(row[0]), abs=1e-4)
            assert [weight for _, weight in found] == sorted((weight for _, weight in found), reverse=True)
            for node, weight in found:
                assert weight == pytest.approx(float(row[1 + node]), abs=1e-4)
            left = torch.tensor([float(row[1 + node]) for node in range(len(row) - 1) if node not in dict(found)])
            assert not found or not len(left) or left.max() <= found[-1][1] + 1e-4


def test_a_fusion_without_weights_says_so(model_folder: Path, tmp_path: Path) -> None:
    assert Explained(model_folder, tmp_path, "other").data["parts"] == []


# ------------------------------------------------------------------------------------------------------ page
@pytest.fixture(scope="module")
def page(explained: Explained) -> str:
    return explanation_page(explained.data, title="<b>test</b> @data@", answer="assert area(2) == </pre> 4", summary="a & b")


def test_the_page_is_whole_and_loads_nothing(page: str, explained: Explained) -> None:
    assert "default-src 'none'" in page
    text = page.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert not re.search(r"https?:|src=|@import|url\((?!#)|fetch\(|<link|XMLHttpRequest", text)
    assert "<b>test" not in page and "&lt;b&gt;test&lt;/b&gt; @data@" in page and "&lt;/pre&gt; 4" in page
    data = page.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data) == explained.data


def test_the_command_writes_it(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, to = tmp_path / "test_it.py", tmp_path / "out.html"
    source.write_text(CODE, encoding="utf-8")
    folder = ["--transducer", str(run / "transducer"), str(source)]
    assert command_line(predict.main, folder) == 0
    plain = capsys.readouterr().out
    assert command_line(predict.main, [*folder, "--explain", str(to)]) == 0
    assert capsys.readouterr().out == plain
    text = to.read_text(encoding="utf-8")
    assert unescape(re.search(r'<pre id="answer">(.*?)</pre>', text, re.DOTALL)[1]) == plain.removesuffix("\n")
    assert "def test_area" in json.loads(text.split('id="data">')[1].split("</script>")[0])["code"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


# ------------------------------------------------------------------------------------------- with a browser
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def opened(browser: Browser, page: str, tmp_path: Path) -> Browser:
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    browser.open(path)
    assert browser.log() == []
    return browser


def listed(page: Browser) -> list[tuple[str, str]]:
    """(node, weight) of the list, `nothing` in place of a node."""
    return [tuple(row) for row in page.run(
        "return [...document.querySelectorAll('.heat-list li')].map(i => [i.dataset.node ?? 'nothing', i.querySelector('.weight').textContent])")]


@needs_browser
def test_the_code_is_shown_as_it_is(opened: Browser, explained: Explained) -> None:
    assert opened.run("return document.querySelector('.heat-code').textContent") == explained.data["code"]
    assert opened.run("return document.querySelectorAll('.heat-marks .heat-mark').length") >= 1
    assert "</pre> 4" in opened.run("return document.getElementById('answer').textContent")


@needs_browser
def test_a_token_shows_what_it_reads(opened: Browser, explained: Explained) -> None:
    parts = {part["name"]: part for part in explained.data["parts"]}
    expected = [str(node) for node, _ in parts["attention"]["mean"][1][:14]] + ["nothing"]
    assert [node for node, _ in listed(opened)] == expected
    token = next(index for index, (text, start, _) in enumerate(explained.data["tokens"]) if text == "area" and start > 10)
    opened.hover(f'[data-token="{token}"]')
    assert [node for node, _ in listed(opened)] == [str(node) for node, _ in parts["attention"]["rows"][token][1]] + ["nothing"]
    opened.click('[data-part="aligned"]')
    opened.click(f'[data-token="{token}"]')
    node = explained.inputs.graph.token_node[token]
    assert listed(opened) == [(str(node), "100 %"), ("nothing", "0 %")]
    heat = opened.run("return [...document.querySelectorAll('.heat-token[data-token]')].filter(s => Number(s.style.getPropertyValue('--h')) > 0)"
                      ".map(s => Number(s.dataset.token))")
    nodes = explained.data["nodes"]
    assert token in heat and set(heat) <= set(range(nodes["first"][node], nodes["last"][node]))
    assert opened.run("return document.querySelectorAll('.heated').length") == 1


@needs_browser
def test_prompts_keys_and_the_picture(opened: Browser, explained: Explained) -> None:
    opened.click('[data-part="prompts"]')
    assert opened.run("return document.querySelectorAll('[data-reader]').length") == 3
    opened.hover('[data-reader="1"]')
    row = next(part for part in explained.data["parts"] if part["name"] == "prompts")["rows"][1]
    assert [node for node, _ in listed(opened)] == [str(node) for node, _ in row[1]] + ["nothing"]
    drawn = {explained.data["nodes"]["box"][node] for node, _ in row[1]} - {-1}
    assert opened.run("return document.querySelectorAll('.heated').length") == len(drawn)
    opened.hover(".heat-list li:first-child")
    assert opened.run("return document.querySelectorAll('.ring').length") <= 1
    opened.click('[data-part="attention"]')
    opened.run("document.querySelector('.heat-code').focus()")
    opened.type("ArrowRight", "ArrowRight")
    assert opened.run("return document.querySelector('.heat-token.chosen').dataset.token") == "1"
    opened.type("Escape")
    assert opened.run("return document.querySelector('.heat-token.chosen')") is None
    opened.type("t")
    assert opened.run("return document.documentElement.dataset.theme") in ("light", "dark")


@needs_browser
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_window(opened: Browser, width: int) -> None:
    opened.resize(width, 900)
    assert opened.run("return document.documentElement.scrollWidth") == width
    assert opened.run("return getComputedStyle(document.querySelector('.heat-grid')).gridTemplateColumns.split(' ').length") == (1 if width < 760 else 2)
