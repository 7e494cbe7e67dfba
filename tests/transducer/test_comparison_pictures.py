"""Charts of comparisons as files, and the curves over the number of training examples and of trained weights."""
from __future__ import annotations

import json
import re
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from tests.transducer.comparison_folder import EXAMPLES, Method, write_folder
from transducer.commands import command_line
from transducer.comparison_report.__main__ import main as report
from transducer.comparison_report.budget_curve import main as budget_curve
from transducer.comparison_report.charts.axes import last_shown
from transducer.comparison_report.charts.curves import Curve, curves
from transducer.comparison_report.charts.forest import Interval, forest
from transducer.comparison_report.charts.growth import set_apart
from transducer.comparison_report.charts.scatter import Point, scatter
from transducer.comparison_report.learning_curve import main as learning_curve

SVG = "{http://www.w3.org/2000/svg}"


def compared_with(folder: Path, size: int, share: float, **changes: object) -> Path:
    """A comparison of a number of training examples; `changes` are of what its configuration says of the model."""
    methods = [Method("transducer", share, 17_424), Method("none", 0.2, 0, None), Method("prefix", share / 2, 20_000)]
    write_folder(folder, EXAMPLES, methods)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["data"]["train"] = size
    config["model"] |= changes
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Folders, not in the order of their sizes."""
    place = tmp_path_factory.mktemp("sizes")
    return [str(compared_with(place / str(size), size, share)) for size, share in ((1000, 0.7), (50, 0.25), (200, 0.5))]


def elements(path: Path, name: str) -> list[xml.Element]:
    return [element for element in xml.fromstring(path.read_text(encoding="utf-8")).iter(SVG + "g")
            if name in element.get("class", "").split()]


def test_a_report_writes_its_charts_as_files(compared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = tmp_path / "pictures"
    assert command_line(report, [str(compared), "--output", str(tmp_path / "report"), "--pictures", str(pictures)]) == 0
    written = {path.name for path in pictures.iterdir()}
    assert written == {f"{kind}-{metric}.svg" for kind in ("quality", "differences") for metric in ("exact_match", "test_loss")}
    said = capsys.readouterr().out.split()
    assert all(str(pictures / name) in said for name in written)
    points = elements(pictures / "quality-test_loss.svg", "point")
    assert {point.get("data-method") for point in points} == {"transducer", "none", "full", "lora", "lora:params=17424"}
    style = xml.parse(pictures / "quality-test_loss.svg").getroot().find(SVG + "style").text
    used = set(re.findall(r"var\((--[\w-]+)\)", style))
    assert used <= set(re.findall(r"(--[\w-]+):", style)) | {"--dash, none"}, "a colour that the file does not declare"


def test_pictures_want_a_folder(compared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert command_line(report, [str(compared), "--pictures", str(tmp_path / "file")]) == 1
    assert "--pictures" in capsys.readouterr().err


def test_the_curve_has_a_line_a_method_in_the_order_of_the_sizes(sizes: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "new" / "curve.svg"
    assert command_line(learning_curve, [*sizes, "--metric", "exact_match", "--output", str(picture)]) == 0
    lines = {line.get("data-method"): line for line in elements(picture, "curve")}
    assert set(lines) == {"transducer", "none", "prefix"}
    (stroke,) = [path.get("d") for path in lines["transducer"].iter(SVG + "path") if path.get("class") == "stroke"]
    places = [tuple(map(float, pair.split())) for pair in stroke.removeprefix("M").split("L")]
    assert len(places) == 3 and places == sorted(places), "from few examples to many"
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True), "the more examples, the higher"
    flat = [circle.get("cy") for circle in lines["none"].iter(SVG + "circle")]
    assert len(flat) == 3 and len(set(flat)) == 1
    assert [text.text for text in lines["prefix"].iter(SVG + "text")] == ["prefix"]


def test_the_curve_of_some_methods_alone(sizes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "curve.svg"
    assert command_line(learning_curve, [*sizes, "--methods", "prefix", "transducer", "--output", str(picture)]) == 0
    assert {line.get("data-method") for line in elements(picture, "curve")} == {"transducer", "prefix"}
    picture.unlink()
    assert command_line(learning_curve, [*sizes, "--methods", "lorra", "--output", str(picture)]) == 2
    assert "--methods lorra" in (said := capsys.readouterr().err) and "prefix" in said and not picture.exists()


def test_the_curve_is_of_comparisons_that_differ_in_size_alone(sizes: list[str], tmp_path: Path,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    other = str(compared_with(tmp_path / "other", 400, 0.5, fingerprint="e" * 64))
    again = str(compared_with(tmp_path / "again", 200, 0.5))
    for folders, code, said in (([sizes[0], other], 1, "model"), ([*sizes, again], 2, "no two of one size"),
                                (sizes[:1], 2, "two comparisons")):
        assert command_line(learning_curve, [*folders, "--output", str(tmp_path / "curve.svg")]) == code
        assert said in capsys.readouterr().err
    assert command_line(learning_curve, [*sizes, "--metric", "accuracy", "--output", str(tmp_path / "curve.svg")]) == 2
    assert "test_loss" in capsys.readouterr().err
    assert not (tmp_path / "curve.svg").exists()


def test_the_curve_over_budgets_joins_the_sizes_of_a_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = [Method("transducer:params=31000", 0.7, 29_824), Method("transducer:params=8000", 0.4, 7_755),
               Method("lora:dropout=0,params=8000", 0.3, 6_144), Method("lora:params=8000,dropout=0", 0.3, 6_144),
               Method("lora:dropout=0,params=100000", 0.8, 98_304), Method("ia3", 0.5, 14_336), Method("none", 0.1, 0, None)]
    folder = write_folder(tmp_path / "budgets", EXAMPLES, methods)
    picture = tmp_path / "curve.svg"
    assert command_line(budget_curve, [str(folder), "--metric", "exact_match", "--output", str(picture)]) == 0
    lines = {line.get("data-method"): line for line in elements(picture, "curve")}
    assert {name: len(list(line.iter(SVG + "circle"))) for name, line in lines.items()} == {
        "transducer": 2, "lora:dropout=0": 2, "ia3": 1}
    across = [float(circle.get("cx")) for circle in lines["transducer"].iter(SVG + "circle")]
    assert across == sorted(across) and "style-0" in lines["transducer"].get("class"), "from few weights to many, the reference first"
    assert "trained weights" in picture.read_text(encoding="utf-8")
    assert command_line(budget_curve, [str(folder), "--methods", "transducer", "ia3", "--output", str(picture)]) == 0
    assert {line.get("data-method") for line in elements(picture, "curve")} == {"transducer", "ia3"}
    capsys.readouterr()
    assert command_line(budget_curve, [str(folder), "--methods", "dora", "--output", str(tmp_path / "no.svg")]) == 2
    assert "trained none of them; expected some of: transducer" in capsys.readouterr().err
    assert command_line(budget_curve, [str(folder), "--metric", "accuracy", "--output", str(tmp_path / "no.svg")]) == 2
    assert "test_loss" in capsys.readouterr().err


def test_the_curve_over_budgets_wants_a_method_of_two_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "one", EXAMPLES, [Method("transducer", 0.7, 17_757), Method("lora", 0.6, 98_304)])
    assert command_line(budget_curve, [str(folder), "--output", str(tmp_path / "curve.svg")]) == 2
    assert "params=N" in capsys.readouterr().err and not (tmp_path / "curve.svg").exists()


@pytest.mark.parametrize("places", [[10.0, 11.0, 12.0, 90.0], [99.0, 98.0, 100.0], [5.0], [0.0, 0.0, 0.0]])
def test_names_at_the_ends_of_lines_stand_apart_in_their_order(places: list[float]) -> None:
    moved = set_apart(places, 13, 0, 100)
    order = sorted(range(len(places)), key=lambda place: (places[place], place))
    gaps = [moved[after] - moved[before] for before, after in zip(order, order[1:])]
    assert all(gap >= 13 - 1e-9 for gap in gaps) and 0 <= min(moved) and max(moved) <= 100


LOSSES = [1.46, 1.55, 1.58, 1.59, 1.60, 1.65, 1.70, 1.78, 1.90]


@pytest.mark.parametrize(("values", "lower_is_better", "expected"), [
    ([*LOSSES, 3.1], True, 1.90),
    ([*(20 - loss for loss in LOSSES), 3.1], False, 20 - 1.90),
    (LOSSES, True, None),
    ([*LOSSES, 0.1], True, None),  # far better than the others: it must be seen
    ([*LOSSES, 3.1, 3.2, 3.3], True, None),  # a quarter of all
    ([*LOSSES[:6], 3.1], True, None),  # few
    ([0.0] * 9 + [30.0], False, None),
    ([1.5] * 9, True, None),
])
def test_an_axis_leaves_out_what_is_far_worse_than_the_others(values: list[float], lower_is_better: bool, expected: float | None) -> None:
    assert last_shown(values, lower_is_better) == expected


def dots(chart: str, name: str) -> dict[str, str]:
    """Method -> element that marks it: `circle` and `rect` in their places, `path` an arrow at the border."""
    return {group.get("data-method"): next(mark.tag for mark in group if mark.get("class") == "dot")
            for group in xml.fromstring(chart).iter("g") if name in group.get("class", "").split()}


@pytest.mark.parametrize("far", [3.1, 1.95])
def test_what_lies_beyond_a_chart_is_an_arrow_with_its_figure(far: float) -> None:
    points = [Point(f"method{place}", 100.0 * (place + 1), loss, loss - 0.01, loss + 0.01, "") for place, loss in enumerate([*LOSSES, far])]
    chart = scatter(points, 700, 460, "weights", "loss", "method0", True, lower_is_better=True)
    marks, last = dots(chart, "point"), "method9"
    assert marks == {name: "path" if name == last and far == 3.1 else "circle" for name in marks} and len(marks) == 10
    assert (f">{last} (3.1)<" in chart) == (far == 3.1) and ">method8<" in chart
    assert {float(tick) for tick in re.findall(r'class="tick" text-anchor="end">([\d.]+)<', chart)} <= {1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0}
    rows = [Interval(point.name, point.quality - 1.6, point.low - 1.6, point.high - 1.6, "worse", "") for point in points[1:]]
    chart = forest(rows, 700, "difference", "method0", lower_is_better=True)
    marks = dots(chart, "row")
    assert marks == {name: "path" if name == last and far == 3.1 else "rect" for name in marks} and len(marks) == 9
    assert f"{far - 1.6:+.2f} [" in chart, "the figures are those of the row"
    ends = [float(x) for x in re.findall(r'[ML]([\d.]+) ', chart)]
    assert max(ends) <= 700


@pytest.mark.parametrize(("far", "arrows"), [((3.4, 3.1), 1), ((3.4, 1.95), 0), ((2.0, 1.95), 0)])
def test_a_curve_that_ends_far_above_the_others_does_not_widen_the_axis(far: tuple[float, float], arrows: int) -> None:
    """What begins there and comes down does: its end is what it is compared by."""
    lines = [Curve(f"method{place}", [(25, loss + 0.3), (100, loss)]) for place, loss in enumerate(LOSSES)]
    chart = curves([*lines, Curve("far", [(25, far[0]), (100, far[1])])], {f"method{place}": place for place in range(9)} | {"far": 9},
                   frozenset(), 576, 380, "loss")
    root = xml.fromstring(chart)
    group = next(group for group in root.iter("g") if group.get("data-method") == "far")
    assert len(group.findall("svg")) == arrows == len([mark for mark in group if mark.get("class") == "dot"])
    highest = max(float(tick) for tick in re.findall(r'class="tick" text-anchor="end">([\d.]+)<', chart))
    assert (highest > 2.6) == (far[0] == 3.4 and not arrows)
    assert not [group for group in root.iter("g") if group.get("data-method") != "far" and group.findall("svg")]
