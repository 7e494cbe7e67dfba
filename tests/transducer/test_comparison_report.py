"""The report of a comparison: its numbers are those of the folder, and bad folders are told from good ones."""
from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tasks import Example
from tests.transducer.comparison_folder import (
    EXAMPLES, HOSTILE, METHODS, METRICS, OUT_OF_MEMORY, Method, source_of, write_folder)
from transducer.comparison_report import drilldown, page, write_report
from transducer.comparison_report.charts.axes import Scale, padded
from transducer.comparison_report.charts.curves import thinned
from transducer.comparison_report.charts.labels import Box, place_labels
from transducer.comparison_report.charts.scatter import Point, pareto_front
from transducer.comparison_report.drawings import mean_curve
from transducer.comparison_report.__main__ import main
from transducer.comparison_report.folder import read_comparison
from transducer.commands import command_line
from transducer.errors import DataError


def copy(compared: Path, to: Path) -> Path:
    return Path(shutil.copytree(compared, to / "copy"))


class Page(HTMLParser):
    """The tables of a page by their label, as lists of texts; its elements and attributes; its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._rows: list[list[str]] | None = None
        self._label = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag == "div" and dict(attributes).get("class") == "scroll":
            self._label = dict(attributes).get("aria-label") or ""
        if tag == "table":
            self._rows = self.tables.setdefault(self._label, [])
        if tag == "tr" and self._rows is not None:
            self._rows.append([])
        if tag in ("td", "th") and self._rows is not None:
            self._rows[-1].append("")
        if tag == "small" and self._rows is not None:
            self._rows[-1][-1] += "|"
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._rows = None

    def handle_data(self, text: str) -> None:
        if self.elements and self.elements[-1][0] == "script":
            self.scripts[-1] += text
        elif self._rows and self._rows[-1]:
            self._rows[-1][-1] += text.strip("\n")


@pytest.fixture(scope="module")
def parsed(compared_report: Path) -> Page:
    return Page((compared_report / "report.html").read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------------------ numbers
def test_scores_are_those_of_the_statistics(compared: Path, parsed: Page) -> None:
    told = json.loads((compared / "statistics.json").read_text(encoding="utf-8"))
    heads, *rows = parsed.tables["Scores"]
    assert heads == ["method", "seeds", "exact match", "chrF", "test loss"]
    shown = {row[0]: row for row in rows}
    assert list(shown) == ["transducer", "none", "full", "lora", "lora:params=17424", "prefix", "dora"]
    for method in told["methods"]:
        for metric, cell in zip((*METRICS, "test_loss"), shown[method["method"]][2:]):
            if not method["seeds"]:
                assert cell == "–"
                continue
            score, digits = method["scores"][metric], 3 if metric == "test_loss" else 2
            text, _, below = cell.partition("|")
            expected = f"{score['mean']:.{digits}f}"
            if len(method["seeds"]) > 1:
                expected += f" ± {score['standard_deviation']:.{digits}f}"
            assert text == expected
            verdicts = [entry["verdict"] for entry in told["comparisons"]
                        if (entry["method"], entry["metric"], entry["clean"]) == (method["method"], metric, False)]
            assert below == (verdicts[0] if verdicts else "reference")
    assert shown["full"][1] == "1|1 failed" and shown["prefix"][1] == "0|failed" and shown["dora"][1] == "0|skipped"


def test_differences_are_those_of_the_statistics(compared: Path, parsed: Page) -> None:
    told = json.loads((compared / "statistics.json").read_text(encoding="utf-8"))
    rows = {row[0]: row for row in parsed.tables["Differences, exact match"][1:]}
    entries = [entry for entry in told["comparisons"] if entry["metric"] == "exact_match" and not entry["clean"]]
    assert set(rows) == {entry["method"] for entry in entries} == {"none", "full", "lora", "lora:params=17424"}
    for entry in entries:
        _, difference, interval, verdict, p, corrected, effect, examples = rows[entry["method"]]
        numbers = [float(text.replace("−", "-")) for text in (difference, *interval.strip("[]").split(", "), effect)]
        assert numbers == pytest.approx([entry["difference"], entry["low"], entry["high"], entry["rank_biserial"]], abs=0.0051)
        for shown, value in ((p, entry["p"]), (corrected, entry["corrected_p"])):
            assert shown == (f"{value:.3f}" if value >= 0.001 else "< 0.001")
        assert examples.split("|") == ["24", f"{len(entry['seeds'])} seed{'s' if len(entry['seeds']) > 1 else ''}"]
        assert verdict == entry["verdict"]


def test_costs_are_those_of_the_rows(compared: Path, parsed: Page) -> None:
    lines = (compared / "results.jsonl").read_text(encoding="utf-8").splitlines()
    done = [row for row in map(json.loads, lines) if row["status"] == "ok"]
    rows = {row[0]: row for row in parsed.tables["Costs"][1:]}
    assert set(rows) == {row["method"] for row in done}
    assert [cell.split("|")[0] for cell in rows["lora"][1:4]] == ["98,304", "98,304", "394.7"]
    peaks = [row["train_peak_bytes"] / 1e6 for row in done if row["method"] == "lora"]
    assert rows["lora"][6].split("|") == [f"{sum(peaks) / 2:,.0f}", f"{min(peaks):,.0f} to {max(peaks):,.0f}"]
    assert rows["none"][6] == "–", "what is not trained has no peak of training"


def test_failed_and_skipped_runs_are_shown(compared_report: Path, parsed: Page) -> None:
    rows = parsed.tables["Runs without a result"][1:]
    assert [row[:3] for row in rows] == [["full", "1", "failed"], ["prefix", "0", "failed"], ["prefix", "1", "failed"],
                                         ["dora", "0", "skipped"]]
    assert rows[0][3] == OUT_OF_MEMORY and rows[3][3] == "cannot be run on this model"
    text = (compared_report / "report.md").read_text(encoding="utf-8")
    assert "out of memory: tried to allocate 2 GiB \\<b\\>of 4\\</b\\> \\| GPU 0" in text
    assert "Some seeds of full failed" in text


def test_scores_without_near_duplicates_stand_apart(compared: Path, parsed: Page, compared_report: Path) -> None:
    told = json.loads((compared / "statistics.json").read_text(encoding="utf-8"))
    scores = {method["method"]: method["clean_scores"] for method in told["methods"]}
    rows = {row[0]: row for row in parsed.tables["Scores without near duplicates"][1:]}
    assert rows["lora"][2].split(" ± ")[0] == f"{scores['lora']['exact_match']['mean']:.2f}"
    assert "None of the" not in (compared_report / "report.md").read_text(encoding="utf-8")


def test_markdown_tables_are_whole(compared_report: Path, parsed: Page) -> None:
    text = (compared_report / "report.md").read_text(encoding="utf-8")
    for block in text.split("\n\n"):
        if block.startswith("| "):
            widths = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(widths) == 1, block
    for row in parsed.tables["Scores"][1:]:
        assert f"| {row[0]} |" in text and row[2].split("|")[0] in text
    assert "| **" in text, "the best of a column is set off"


def test_csv_has_every_run(compared: Path, compared_report: Path) -> None:
    with (compared_report / "results.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    rows = [json.loads(line) for line in (compared / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len(rows) == 12
    by_run = {(row["method"], str(row["seed"])): row for row in rows}
    shown = [line["method"] for line in lines]
    assert shown == sorted(shown, key=[method.name for method in METHODS].index)
    for line in lines:
        row = by_run[line["method"], line["seed"]]
        assert (line["status"], line["reason"]) == (row["status"], row["reason"])
        assert line["score_exact_match"] == (str(row["scores"]["exact_match"]) if row["status"] == "ok" else "")
        assert line["trainable_parameters"] == str(row["trainable_parameters"])


def test_the_configuration_is_whole(compared: Path, compared_report: Path) -> None:
    config = json.loads((compared / "config.json").read_text(encoding="utf-8"))
    for name in ("report.md", "report.html"):
        text = (compared_report / name).read_text(encoding="utf-8")
        for setting in config["settings"]:
            assert setting.replace("_", " ") in text.replace("\\_", "_"), (name, setting)
        assert all(version in text for version in config["packages"].values())
        assert config["command"] in text and config["git_commit"] in text and config["data"]["content_hash"] in text


# --------------------------------------------------------------------------------------------------- text and its bounds
def test_the_same_folder_gives_the_same_bytes(compared: Path, compared_report: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-m", "transducer.comparison_report", compared, "--output", tmp_path / "again"], check=True,
                   env=environment, capture_output=True)
    for path in compared_report.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_page_loads_nothing_and_no_text_becomes_an_element(compared_report: Path, parsed: Page) -> None:
    text = (compared_report / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert len(parsed.scripts) == 2 and "<" not in parsed.scripts[0]
    data = json.loads(parsed.scripts[0])
    assert data["examples"][5]["gold"] == HOSTILE
    assert any("</script><b>&amp;" in answer["text"] for example in data["examples"] for answer in example["answers"])
    tags = {tag for tag, _ in parsed.elements}
    assert not tags & {"img", "b", "iframe", "link", "object"} - {"b"}
    names = {name for _, attributes in parsed.elements for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "action")]
    assert all(attributes["href"].startswith("#") for tag, attributes in parsed.elements if tag == "a")
    assert not any(word in text for word in ("http:", "https:", "@import", "url(//", "fetch(")), "loads something"


def test_names_of_methods_are_escaped(tmp_path: Path) -> None:
    name = 'lora:note="<b onclick=x>&|'
    write_folder(tmp_path, EXAMPLES, [METHODS[0], Method(name, 0.4, 100)], seeds=1)
    write_report(tmp_path)
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [row[0] for row in found.tables["Scores"][1:]] == ["transducer", name]
    assert not [attributes for _, attributes in found.elements if "onclick" in attributes]
    assert '\\<b onclick=x\\>&\\|' in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_large_comparisons_stay_under_two_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_BYTES", 400_000)
    examples = [Example(f"e{place}", source_of(place) + "# <<<<<<<\n" * 150, f"assert {place}", "python")
                for place in range(200)]
    write_folder(tmp_path, examples, METHODS[:4], seeds=2)
    write_report(tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) <= 400_000
    found = Page(text)
    kept = len(json.loads(found.scripts[0])["examples"])
    templates = [str(attributes.get("id")) for tag, attributes in found.elements if tag == "template"]
    graphs = [name for name in templates if name.startswith("graph-")]
    assert 10 < kept < 200 and 0 < len(graphs) < kept
    assert f"{kept} of the 200 test examples, chosen by a hash of their ids so that the page stays under 2 MB." in text
    assert f"Graphs of {len(graphs)} of them" in text


def test_graphs_that_are_too_large_are_counted(compared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drilldown, "MOST_POINTS", 3)
    shown = drilldown.with_graphs(drilldown.examples_within(read_comparison(compared), 10 ** 6), 10 ** 6)
    assert shown.graphs == {} and shown.too_large == len(EXAMPLES)


def test_equal_answers_are_stored_once_and_graphs_are_of_their_examples(compared: Path) -> None:
    comparison = read_comparison(compared)
    shown = drilldown.with_graphs(drilldown.examples_within(comparison, 10 ** 6), 10 ** 6)
    assert len(shown.examples) == 24 and len(shown.graphs) == 24
    methods = drilldown.methods_with_answers(comparison)
    assert methods == [("transducer", [0, 1]), ("none", [0]), ("full", [0]), ("lora", [0, 1]), ("lora:params=17424", [0, 1])]
    for place, example in enumerate(shown.examples):
        assert len({answer["text"] for answer in example["answers"]}) == len(example["answers"])
        for (method, seeds), of in zip(methods, example["by"]):
            for seed, answer in zip(seeds, of):
                entry = comparison.predictions[method, seed][place]
                assert example["answers"][answer]["text"] == entry["prediction"]
                assert example["answers"][answer]["right"] == (entry["prediction"] == entry["target"])
        assert f"load({place})" in shown.graphs[place]


# ------------------------------------------------------------------------------------------------------------- pictures
def test_pareto_front() -> None:
    def point(name: str, cost: float, quality: float) -> Point:
        return Point(name, cost, quality, quality, quality, name)

    points = [point("dear", 100, 50), point("beaten", 50, 30), point("cheap", 1, 10), point("good", 20, 40),
              point("same", 20, 40),
              point("as good for more", 30, 40), point("worst", 100, 5)]
    assert [entry.name for entry in pareto_front(points)] == ["cheap", "good", "same", "dear"]
    assert [entry.name for entry in pareto_front(points, lower_is_better=True)] == ["cheap", "worst"]
    assert pareto_front([]) == []


def test_labels_do_not_cover_each_other() -> None:
    # Twenty points in a corner: what real comparisons look like, since most methods are alike.
    points = [(120 + 37 * (place % 5) + place, 100 + 9 * (place % 7)) for place in range(20)]
    names = [f"method-{place}" + ":rank=2" * (place % 3 == 0) for place in range(20)]
    frame = Box(50, 30, 550, 380)
    labels = place_labels(points, names, frame)
    assert len(labels) == 20
    for place, label in enumerate(labels):
        assert label.box.shared(frame) == pytest.approx((label.box.right - label.box.left) * (label.box.bottom - label.box.top))
        assert all(label.box.shared(other.box) == 0 for other in labels[:place])
        assert all(not (label.box.left < x < label.box.right and label.box.top < y < label.box.bottom) for x, y in points)


@pytest.mark.parametrize(("scale", "expected"), [
    (Scale(0, 10, 0, 100), [0, 2, 4, 6, 8, 10]),
    (Scale(-3, 3, 0, 100), [-3, -2, -1, 0, 1, 2, 3]),
    (Scale(3000, 20_000, 0, 100, True), [5000, 10_000, 20_000]),
    (Scale(4000, 3e8, 0, 100, True), [1e4, 1e5, 1e6, 1e7, 1e8]),
])
def test_ticks_are_round_and_inside(scale: Scale, expected: list[float]) -> None:
    assert scale.ticks() == pytest.approx(expected)
    assert scale(scale.low) == pytest.approx(0) and scale(scale.high) == pytest.approx(100)


def test_an_axis_of_one_value_has_room() -> None:
    assert padded([5.0])[0] < 5 < padded([5.0])[1]
    assert 0 < padded([5.0], logarithmic=True)[0] < 5 < padded([5.0], logarithmic=True)[1]


def test_curves_are_means_at_common_steps(compared: Path, tmp_path: Path) -> None:
    changed = copy(compared, tmp_path)
    log = changed / "runs/lora-seed1/log.jsonl"
    kept = [line for line in log.read_text(encoding="utf-8").splitlines() if json.loads(line)["step"] != 50]
    log.write_text("\n".join([*kept[:-1], '{"step": 100, "loss": NaN}', '{"step": 12']), encoding="utf-8")
    comparison = read_comparison(changed)
    curve = mean_curve(comparison, "lora", "loss")
    losses = [{entry["step"]: entry["loss"] for entry in comparison.logs["lora", seed] if "loss" in entry} for seed in (0, 1)]
    assert [step for step, _ in curve.points] == [25, 75, 100, 125, 150, 175, 200]
    assert dict(curve.points)[75] == pytest.approx((losses[0][75] + losses[1][75]) / 2)
    assert [step for step, _ in mean_curve(comparison, "prefix", "loss").points][-1] == 100, "failed runs show how far they came"
    assert mean_curve(comparison, "none", "loss").points == []


def test_long_curves_keep_their_ends() -> None:
    points = [(float(step), 0.0) for step in range(1000)]
    assert len(thinned(points, 50)) == 50 and thinned(points, 50)[0] == points[0] and thinned(points, 50)[-1] == points[-1]


# ------------------------------------------------------------------------------------------------------ small comparisons
def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    write_folder(tmp_path, EXAMPLES, METHODS[:2], seeds=1)
    write_report(tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "±" not in text.split("| method")[1] and "standard deviation over" not in text.split("## Notes")[1]
    assert "None of the 24 test examples has a near duplicate in train." in text
    assert "Scores without near duplicates" not in text


def test_one_method_has_nothing_to_compare_with(tmp_path: Path) -> None:
    write_folder(tmp_path, EXAMPLES, METHODS[:1], seeds=2)
    write_report(tmp_path)
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(found.tables["Scores"]) == 2 and "Differences, exact match" not in found.tables
    assert "#differences" not in [attributes.get("href") for _, attributes in found.elements]
    assert "Only transducer came through" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_reference_that_failed_leaves_the_scores(tmp_path: Path) -> None:
    write_folder(tmp_path, EXAMPLES, [Method("transducer", 0.6, 17_424, failed={0: "why", 1: "why"}), *METHODS[1:4]])
    write_report(tmp_path)
    found = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {row[0]: row[1] for row in found.tables["Scores"][1:]} == {"transducer": "0|failed", "none": "1", "full": "1|1 failed",
                                                                     "lora": "2"}
    assert "Differences, exact match" not in found.tables and "|" not in found.tables["Scores"][2][2]


def test_trials_of_the_tuning_are_shown(compared: Path, tmp_path: Path) -> None:
    changed = copy(compared, tmp_path)
    trials = [{"schema": 1, "method": "lora", "specification": "lora:rank=4", "trial": trial, "seed": 0, "seconds": 12.3,
               "settings": {"learning_rate": 0.0001 * (trial + 1), "rank": 4}, "valid_loss": None if trial else 1.25, "status":
               "failed" if trial else "ok", "reason": "the loss is nan" if trial else "", "trainable_parameters": 4096,
               "train_examples": 500} for trial in range(2)]
    (changed / "tuning.jsonl").write_text("".join(json.dumps(trial) + "\n" for trial in trials), encoding="utf-8")
    rows = [json.loads(line) for line in (changed / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row["method"] == "lora":
            row["tuning"] = {"trials": 2, "settings": {"learning_rate": 0.0001, "rank": 4}, "valid_loss": 1.25}
    (changed / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_report(changed)
    found = Page((changed / "report.html").read_text(encoding="utf-8"))
    assert [row[1:] for row in found.tables["Trials of the tuning"][1:]] == [
        ["0", "learning_rate=0.0001, rank=4", "1.250", "4,096", "500", "12", "ok"],
        ["1", "learning_rate=0.0002, rank=4", "–", "4,096", "500", "12", "the loss is nan"]]
    row = next(row for row in found.tables["Settings of the methods"] if row[0] == "lora")
    assert "learning_rate=0.0001, rank=4 (2 trials)" in row


def test_runs_without_files_have_no_examples(tmp_path: Path) -> None:
    write_folder(tmp_path, EXAMPLES, METHODS[:2], seeds=1)
    rows = [json.loads(line) | {"folder": ""} for line in (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_report(tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="examples"' not in text and 'id="curves"' not in text and 'id="quality"' in text


# ----------------------------------------------------------------------------------------------------------- bad folders
@pytest.mark.parametrize("name", ["config.json", "results.jsonl", "statistics.json", "examples.jsonl",
                                  "runs/lora-seed1/predictions.jsonl"])
def test_missing_files_are_named(compared: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    changed = copy(compared, tmp_path)
    (changed / name).unlink()
    assert command_line(main, [str(changed)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and str(changed / name) in error and len(error.splitlines()) == 1
    assert not (changed / "report.html").exists()


@pytest.mark.parametrize(("name", "content", "said"), [
    ("config.json", '{"task": "assert"}', "is not the configuration of a comparison"),
    ("config.json", "{", "is no JSON"),
    ("config.json", "[]", "holds a list"),
    ("statistics.json", '{"schema": 2}', "has schema 2, this release reads 1"),
    ("results.jsonl", "", "no run that came through"),
    ("results.jsonl", '{"schema": 9, "method": "lora"}\n', "has schema 9"),
    ("results.jsonl", '{"schema": 1, "method": "lora"}\n', "a row without seed, status"),
    ("results.jsonl", '{"schema": 1, "method": "other", "seed": 0, "status": "ok"}\n',
     "rows of other, which config.json does not name"),
    ("results.jsonl", '{"schema": 1, "method": "lora", "seed": 0, "status": "failed", "reason": "why"}\n', "lora: why"),
    ("results.jsonl", '{"schema": 1, "method": "lora", "seed": 0, "status": "ok"}\n', "is of other runs than results.jsonl"),
    ("examples.jsonl", '{"id": "example-00"}\n', "1 examples, and their ids differ from line 2 on"),
    ("examples.jsonl", "3\n", "line 1, holds a int"),
    ("runs/lora-seed0/log.jsonl", "x\n", "line 1, is no JSON"),
    ("results.jsonl", b"\xff\n", "cannot be read"),
])
def test_files_that_are_something_else(compared: Path, tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    changed = copy(compared, tmp_path)
    (changed / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said.replace("(", r"\(")) as error:
        write_report(changed)
    assert ";" in str(error.value) or "expected" in str(error.value), "says what to do"


def test_half_a_last_row_is_ignored(compared: Path, tmp_path: Path) -> None:
    changed = copy(compared, tmp_path)
    with (changed / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"schema": 1, "method": "lo')
    assert len(read_comparison(changed).rows) == 12


# -------------------------------------------------------------------------------------------------------------- command
def test_the_command_writes_beside_the_results(compared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = copy(compared, tmp_path)
    assert command_line(main, [str(changed)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(changed / name) for name in ("report.md", "results.csv", "report.html")]
    assert not list(changed.glob(".*.tmp"))
    assert command_line(main, [str(changed), "--output", str(changed / "config.json")]) == 1
    assert "is a file, expected a folder" in capsys.readouterr().err
    assert command_line(main, [str(tmp_path / "nothing")]) == 1
    assert "no folder" in capsys.readouterr().err


def test_reports_need_no_torch(compared: Path, tmp_path: Path) -> None:
    code = ("import sys; from transducer.comparison_report.__main__ import main; main(sys.argv[1:]);"
            "print([name for name in ('torch', 'transformers', 'dgl', 'scipy') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code, compared, "--output", tmp_path], check=True, capture_output=True,
                          text=True)
    assert done.stdout.splitlines()[-1] == "[]"
