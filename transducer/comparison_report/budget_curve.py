"""Quality over the number of trained weights, from a comparison that has methods at several budgets.

    python -m transducer.comparison_report.budget_curve runs/budgets --output curve.svg
    python -m transducer.comparison_report.budget_curve runs/budgets --methods transducer lora full --output curve.svg

A line joins the sizes of one method: labels that differ in `params=N` alone. What has one size is a point; what trains nothing
has no place on the axis and is left out.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..commands import DONE, CommandParser, command_line
from ..errors import ConfigurationError
from ..methods import without_budget
from .charts.growth import Growth
from .folder import Comparison, read_comparison
from .growth_lines import check_metric, growth_chart, spread_of, write_picture
from .wording import LOSS


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.comparison_report.budget_curve", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --output of a transducer.compare")
    parser.add_argument("--metric", default=LOSS, help=f"the default: {LOSS}")
    parser.add_argument("--methods", nargs="+", default=[], metavar="NAME", help="only these, without their sizes; the default: all")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.svg")
    options = parser.parse_args(arguments)
    write_picture(budget_curve(read_comparison(options.folder), options.metric, options.methods), options.output)
    return DONE


def budget_curve(comparison: Comparison, metric: str, only: Sequence[str] = ()) -> str:
    """The chart.

    Args:
        only: names of methods without their sizes; empty: all.

    Raises:
        ConfigurationError: no such metric or method, or no method at two budgets.
    """
    check_metric(metric, comparison.figures, "the comparison")
    families: dict[str, dict[int, tuple[float, float, float]]] = {}
    for method, rows in comparison.done.items():
        weights = rows[0]["trainable_parameters"]
        spread = spread_of(comparison, method, metric)
        if weights and spread is not None:
            families.setdefault(without_budget(method)[0], {}).setdefault(weights, spread)
    if unknown := [name for name in only if name not in families]:
        raise ConfigurationError(f"--methods {' '.join(unknown)}: the comparison has trained none of them; expected some of: "
                                 f"{', '.join(families)}")
    families = {name: sizes for name, sizes in families.items() if not only or name in only}
    if all(len(sizes) < 2 for sizes in families.values()):
        raise ConfigurationError("no method has two sizes; a budget curve needs a comparison with METHOD:params=N at two budgets or "
                                 "more, of which two gave different sizes")
    lines = [Growth(name, [(weights, *spread) for weights, spread in sorted(sizes.items())]) for name, sizes in families.items()]
    return growth_chart(comparison, lines, metric, "trained weights", without_budget(comparison.reference)[0])


if __name__ == "__main__":
    raise SystemExit(command_line(main))
