"""What a reader has to know before a conclusion is drawn."""
from __future__ import annotations

from .folder import Comparison
from .wording import counted, listed, plain


def summary(comparison: Comparison) -> str:
    """One line: task, data, model, size."""
    settings, data, model = comparison.settings, comparison.config.get("data", {}), comparison.config.get("model", {})
    seeds = {row["seed"] for row in comparison.rows}
    parts = [f"task {settings.get('task', 'unknown')}", f"data {data.get('name') or settings.get('data', 'unknown')}",
             f"model {model.get('name') or settings.get('model', 'unknown')}", counted(len(comparison.methods), "method"),
             counted(len(seeds), "seed"), counted(len(comparison.examples), "test example")]
    return " · ".join(parts)


def notes(comparison: Comparison) -> list[str]:
    """Sentences: those of the statistics, then what follows from the rows and how the pages are made."""
    # The runs without a result have a table of their own.
    shown = {f"{row['method']}, seed {row['seed']} {row['status']}: {row.get('reason')}" for row in comparison.missed}
    found = [str(note) for note in comparison.statistics.get("notes", ()) if note not in shown]
    found += [*_seeds(comparison), *_duplicates(comparison), *_missed(comparison), *_tuning(comparison), *_costs(comparison)]
    return list(dict.fromkeys(found))


def _seeds(comparison: Comparison) -> list[str]:
    counts = {method: len(rows) for method, rows in comparison.done.items()}
    found = []
    if len(counts) == 1:
        found.append(f"Only {next(iter(counts))} came through: there is nothing to compare it with.")
    # What nothing is trained for has no seeds that could differ.
    trained = [count for method, count in counts.items()
               if any(row.get("trainable_parameters") for row in comparison.done[method])]
    if trained and max(trained) > 1:
        number = f"up to {max(trained)}" if min(trained) < max(trained) else f"{max(trained)}"
        found.append(f"± is the standard deviation over {number} seeds, which is itself rough for so few.")
    if comparison.statistics.get("comparisons"):
        found.append(f"better and worse are said against {comparison.reference} where the corrected test and the interval agree; a "
                     "tie says that these examples show no difference, not that there is none.")
    return found


def _duplicates(comparison: Comparison) -> list[str]:
    """Where there are some, the statistics speak of them."""
    if any(example.get("near_duplicate") for example in comparison.examples):
        return []
    return [f"None of the {len(comparison.examples):,} test examples has a near duplicate in train."]


def _missed(comparison: Comparison) -> list[str]:
    partly = sorted({row["method"] for row in comparison.missed} & comparison.done.keys())
    if not partly:
        return []
    return [f"Some seeds of {listed(partly)} failed: the means are over the others, which may be the luckier ones."]


def _tuning(comparison: Comparison) -> list[str]:
    settings = comparison.settings
    found = []
    if settings.get("tune"):
        found.append(f"{counted(settings['tune'], 'trial')} of tuning for each method, judged by validation loss only. A method with "
                     "more settings has the same number of trials, not the same share of its settings tried.")
    else:
        found.append("Nothing was tuned: every method ran with its default settings, which may suit some better than others.")
    if settings.get("budget"):
        found.append(f"Sizes were chosen within {settings['budget']}; a method that cannot fill the budget has fewer weights.")
    return found


def _costs(comparison: Comparison) -> list[str]:
    found = ["On a CPU peak memory is the resident memory of the process, the interpreter and its libraries among it: compare "
             "differences. On a GPU it is what was allocated."]
    prepared = next((row["preparation"] for row in comparison.rows if row.get("preparation")), {})
    each, cached = prepared.get("graph_milliseconds_per_example"), prepared.get("graph_bytes")
    if each is not None:
        size = f" and {plain(cached / 1e6, 1)} MB in all" if cached is not None else ""
        found.append(f"Graphs take {plain(each, 2)} ms an example{size} before training; only methods that read graphs need them.")
    return found
