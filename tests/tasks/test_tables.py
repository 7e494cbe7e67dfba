"""Tasks and their table, the guard of the model's input, and specifications of sources."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from cpg import LANGUAGES
from tasks import SOURCES, TASKS, Example, get_task, load_source
from tasks.errors import (
    MetricInputError,
    MissingDataError,
    PlaceholderError,
    TaskError,
    TaskInputError,
    TaskLanguageError,
    UnknownMetricError,
    UnknownSourceError,
    UnknownTaskError,
)
from tasks.base import ANSWER
from tasks.metrics import METRICS

SOURCE = 'def test_add():\n    "<AssertPlaceHolder>"\n\ndef add(a, b):\n    return a + b'


def test_public_surface() -> None:
    assert sorted(tasks.__all__) == ["DatasetSplits", "Example", "SOURCES", "TASKS", "Task", "get_task", "load_source"]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_names_known_metrics_and_sane_limits(name: str) -> None:
    task = get_task(name)
    assert task.name == name and task.headline in task.metrics and set(task.metrics) <= set(METRICS)
    assert task.max_source_tokens > task.max_target_tokens > 0
    assert (task.placeholder is None) == (set(task.frames) == set(task.languages))
    for before, after in task.frames.values():
        assert (before + after).count(ANSWER) == 1
    assert {task.language_of_answers(language) for language in task.languages} <= {*LANGUAGES, "english"}
    assert not [key for key in task.generation if "decoder" in key]


def test_the_assert_task_is_the_agreed_one() -> None:
    task = get_task("assert")
    assert task.placeholder == '"<AssertPlaceHolder>"'
    assert (task.max_source_tokens, task.max_target_tokens, task.headline) == (400, 64, "exact_match")
    assert task.languages == ("python", "java", "csharp")
    assert task.metrics == ("exact_match", "bleu", "codebleu", "chrf")


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UnknownTaskError) as caught:
        get_task("asert")
    assert str(caught.value) == ("unknown task 'asert'; expected one of: assert, repair, summarize, translate. Did you mean "
                                 "'assert'?")
    assert isinstance(caught.value, KeyError) and isinstance(caught.value, TaskError)


def test_the_model_input_is_made_from_text_alone() -> None:
    task = get_task("assert")
    assert task.model_input(SOURCE) == SOURCE
    example = Example("one", SOURCE, "assert add(1, 1) == 2", "python")
    with pytest.raises(TaskInputError, match="Example; expected the source text alone, so that no target can leak"):
        task.model_input(example)


@pytest.mark.parametrize(("text", "found"), [("def f(): pass", "does not hold"), (SOURCE + SOURCE, "holds the placeholder 2")])
def test_the_model_input_needs_its_placeholder_once(text: str, found: str) -> None:
    with pytest.raises(PlaceholderError, match=found):
        get_task("assert").model_input(text)


def test_languages_of_a_task() -> None:
    assert get_task("assert").check_language("java") == "java"
    with pytest.raises(TaskLanguageError, match="unknown language of task 'assert' 'pyton'.*Did you mean 'python'"):
        get_task("assert").check_language("pyton")


@pytest.mark.parametrize(("specification", "message"), [
    ("embeded", "unknown source of data 'embeded'; expected one of: embedded, file:PATH, hub:ID.*Did you mean 'embedded'"),
    ("file:", "the source of data 'file:' lacks what follows the colon; expected 'file:PATH'"),
    ("embedded:x", "the source of data 'embedded:x' takes no argument; expected 'embedded'"),
])
def test_wrong_specifications(specification: str, message: str) -> None:
    with pytest.raises(UnknownSourceError, match=message):
        load_source(specification, get_task("assert"))


def test_a_bare_folder_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UnknownSourceError, match="A folder is given as file:PATH"):
        load_source(str(tmp_path), get_task("assert"))


def test_every_source_has_a_loader() -> None:
    assert [name for name, source in SOURCES.items() if not callable(source.loader())] == []


def test_every_error_is_the_builtin_that_it_stands_for() -> None:
    pairs = [(UnknownTaskError, KeyError), (UnknownMetricError, KeyError), (UnknownSourceError, ValueError),
             (TaskLanguageError, ValueError), (MissingDataError, FileNotFoundError), (MetricInputError, ValueError)]
    assert all(issubclass(error, builtin) and issubclass(error, TaskError) for error, builtin in pairs)


def test_importing_loads_no_library() -> None:
    code = "import sys, tasks; print([name for name in ('numpy', 'sacrebleu', 'codebleu', 'datasketch') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           cwd=Path(__file__).parents[2])
    assert found.stdout.strip() == "[]"
