"""The embedded data sets of the tasks `summarize` and `repair`."""
from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tasks import DatasetSplits, get_task, load_source
from tasks.code_tokens import code_tokens
from tasks.decontaminate import near_duplicates
from tasks.embedded import MINERS
from tasks.embedded_summaries import first_sentence
from tasks.errors import UnknownSourceError
from tasks.inspection import inspect_dataset
from tasks.metrics import score
from tasks.mutation import OPERATORS


@pytest.fixture(scope="module", params=["summarize", "repair"])
def data(request: pytest.FixtureRequest, mined_cache: Path) -> tuple[str, DatasetSplits]:
    return request.param, load_source("embedded", get_task(request.param), cache_dir=mined_cache, progress=False)


@pytest.fixture(scope="module")
def summaries(mined_cache: Path) -> DatasetSplits:
    return load_source("embedded", get_task("summarize"), cache_dir=mined_cache, progress=False)


@pytest.fixture(scope="module")
def repairs(mined_cache: Path) -> DatasetSplits:
    return load_source("embedded", get_task("repair"), cache_dir=mined_cache, progress=False)


def everything(dataset: DatasetSplits) -> list:
    return [example for _, examples in dataset.items() for example in examples]


def test_every_task_with_embedded_examples_has_a_miner() -> None:
    from tasks import TASKS

    assert {name for name, task in TASKS.items() if task.embedded} == set(MINERS)


def test_a_task_without_embedded_examples_asks_for_data() -> None:
    with pytest.raises(UnknownSourceError, match="task 'translate' has no embedded examples; give data of your own with file:PATH"):
        load_source("embedded", get_task("translate"))


def test_there_is_enough_of_it(data: tuple[str, DatasetSplits]) -> None:
    _, dataset = data
    assert len(dataset.train) >= 1500 and len(dataset.valid) >= 80 and len(dataset.test) >= 200
    assert {example.metadata["package"] for example in dataset.train} == {"networkx", "numpy"}


def test_ids_are_unique_and_sources_parse(data: tuple[str, DatasetSplits]) -> None:
    examples = everything(data[1])
    assert len({example.id for example in examples}) == len(examples)
    for example in examples:
        ast.parse(example.source)
        assert set(example.metadata["context"]) == {"class", "callees", "imports"}


@pytest.mark.parametrize("field", ["module", "file"])
def test_splits_share_nothing(data: tuple[str, DatasetSplits], field: str) -> None:
    values = [{example.metadata[field] for example in examples} for _, examples in data[1].items()]
    assert not values[0] & values[1] and not values[0] & values[2] and not values[1] & values[2]


def test_no_near_duplicates_and_no_equal_targets_across_splits(data: tuple[str, DatasetSplits]) -> None:
    dataset = data[1]
    held_out = dataset.valid + dataset.test
    assert near_duplicates([example.source for example in dataset.train], [example.source for example in held_out]) == {}
    assert not {example.target for example in dataset.train} & {example.target for example in held_out}


def test_accounts_are_kept(data: tuple[str, DatasetSplits]) -> None:
    facts = data[1].description
    assert facts["found"] == len(everything(data[1])) + sum(facts["drops"].values())


def test_the_gold_answers_score_the_maximum(data: tuple[str, DatasetSplits]) -> None:
    name, dataset = data
    gold = [example.target for example in dataset.test]
    task = get_task(name)
    values = score(task.metrics, gold, gold, task.language_of_answers("python")).values
    assert all(value == pytest.approx(100.0, abs=0.01) for value in values.values()), values


def test_it_can_be_inspected(data: tuple[str, DatasetSplits]) -> None:
    name, dataset = data
    figures = inspect_dataset(dataset, get_task(name), graphs=20)
    assert figures.counts == figures.looked_at == {split: len(examples) for split, examples in dataset.items()}
    assert figures.drops == dataset.description["drops"] and figures.languages == {"python": figures.counts}
    wanted = {"summarize": {"package"}, "repair": {"package", "operator"}}[name]
    assert wanted <= set(figures.metadata.categories)
    assert all(sum(group.bins) == group.count == figures.counts[split] for units in figures.lengths.values()
               for histogram in units.values() for split, group in histogram.groups.items())
    assert [group.broken for group in figures.graphs["source"].splits.values()] == [0, 0, 0]


def test_the_sentence_is_not_in_the_code(summaries: DatasetSplits) -> None:
    for example in everything(summaries):
        said, code = (" ".join(code_tokens(text)) for text in (example.target, example.source))
        assert said not in code
        assert '"""' not in example.source or example.source.count('"""') % 2 == 0


def test_every_defect_is_one_edit_of_a_named_operator(repairs: DatasetSplits) -> None:
    used = set()
    for example in everything(repairs):
        assert example.source != example.target and ast.dump(ast.parse(example.source)) != ast.dump(ast.parse(example.target))
        used.add(example.metadata["operator"])
    assert used <= set(OPERATORS) and len(used) >= 12


@pytest.mark.parametrize(("documentation", "sentence"), [
    ("Return the sum.\n\nMore.", "Return the sum."),
    ("Return the sum of a and b. Both are numbers.", "Return the sum of a and b."),
    ("Returns e.g. the sum", "Returns e.g. the sum."),
    ("Compute\n    over lines", "Compute over lines."),
    ("Return `x` as *array*.", "Return x as array."),
    ("Does version 1.2 well.", "Does version 1.2 well."),
    ("", ""),
])
def test_the_first_sentence(documentation: str, sentence: str) -> None:
    assert first_sentence(documentation) == sentence
