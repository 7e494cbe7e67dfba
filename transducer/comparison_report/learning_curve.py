"""Quality over the number of training examples, from comparisons of one task, model and test that differ in it.

    python -m transducer.comparison_report.learning_curve runs/50 runs/200 runs/1000 --output curve.svg
    python -m transducer.comparison_report.learning_curve runs/50 runs/200 --methods transducer lora --output curve.svg
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..commands import DONE, CommandParser, command_line
from ..errors import ConfigurationError, DataError
from .charts.growth import Growth
from .folder import Comparison, read_comparison
from .growth_lines import check_metric, growth_chart, spread_of, write_picture
from .wording import LOSS


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.comparison_report.learning_curve", description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="the --output of a transducer.compare; two or more")
    parser.add_argument("--metric", default=LOSS, help=f"the default: {LOSS}")
    parser.add_argument("--methods", nargs="+", default=[], metavar="NAME", help="only these, as the comparisons name them; the default: all")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.svg")
    options = parser.parse_args(arguments)
    comparisons = [read_comparison(folder) for folder in options.folders]
    names = [str(folder) for folder in options.folders]
    write_picture(learning_curve(comparisons, options.metric, names, options.methods), options.output)
    return DONE


def learning_curve(comparisons: Sequence[Comparison], metric: str, names: Sequence[str], only: Sequence[str] = ()) -> str:
    """The chart.

    Args:
        names: what errors call the comparisons.
        only: methods; empty: all.

    Raises:
        ConfigurationError: fewer than two comparisons, no such metric or method, or two of one size.
        DataError: they are not of one task, model and test.
    """
    if len(comparisons) < 2:
        raise ConfigurationError("a learning curve needs two comparisons or more with different --train-limit; give their folders")
    first = comparisons[0]
    for other, name in zip(comparisons[1:], names[1:]):
        _check_alike(first, other, names[0], name)
    known = [entry for entry in first.figures if all(entry in other.figures for other in comparisons)]
    check_metric(metric, known, "all of the comparisons")
    sizes = [comparison.config["data"]["train"] for comparison in comparisons]
    if len(set(sizes)) < len(sizes):
        counts = ", ".join(f"{size:,}" for size in sizes)
        raise ConfigurationError(f"the comparisons have {counts} training examples; expected no two of one size")
    ordered = [comparison for _, comparison in sorted(zip(sizes, comparisons), key=lambda pair: pair[0])]
    methods = list(dict.fromkeys(method for comparison in ordered for method in comparison.methods))
    if unknown := [method for method in only if method not in methods]:
        raise ConfigurationError(f"--methods {' '.join(unknown)}: none of the comparisons has them; expected some of: {', '.join(methods)}")
    lines = [Growth(method, _points(ordered, method, metric)) for method in methods if not only or method in only]
    return growth_chart(first, lines, metric, "training examples", first.reference)


def _points(ordered: Sequence[Comparison], method: str, metric: str) -> list[tuple[int, float, float, float]]:
    return [(comparison.config["data"]["train"], *spread) for comparison in ordered
            if (spread := spread_of(comparison, method, metric)) is not None]


def _check_alike(first: Comparison, other: Comparison, first_name: str, name: str) -> None:
    for what, of in (("task", lambda comparison: comparison.settings["task"]),
                     ("model", lambda comparison: comparison.config["model"]["fingerprint"]),
                     ("test examples", lambda comparison: [entry["id"] for entry in comparison.examples])):
        if of(first) != of(other):
            raise DataError(f"{first_name} and {name} differ in their {what}; a learning curve is of comparisons that have the "
                            "same, with different --train-limit")


if __name__ == "__main__":
    raise SystemExit(command_line(main))
