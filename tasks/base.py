"""What an example and a task are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import PlaceholderError, TaskInputError, TaskLanguageError, unknown_name

ANSWER = "{answer}"
"""Stands in a task's frame where the answer belongs."""


@dataclass(frozen=True)
class Example:
    """One item of a task.

    Attributes:
        id: unique in its data set.
        source: the model's input. Nothing of it is made from `target`.
        target: the expected output; None where there is none to compare with (prediction).
        language: the language of the code, one of the task's.
        metadata: where the example comes from; never shown to a model.
    """

    id: str
    source: str
    target: str | None
    language: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What a task asks of a model, and how an answer is judged.

    Attributes:
        name: its key in `TASKS`.
        summary: one line for listings.
        placeholder: text that stands in a source, exactly once, for what is to be generated; None for tasks whose
            answer replaces nothing of the source.
        languages: languages that sources may be in.
        answer_language: the language of answers: "source" (that of the source), "english", or a programming language.
        frames: for tasks without a placeholder: source language -> the texts in front of and behind the source in
            a model's input; one of them holds `ANSWER`. Models that were pre-trained to fill gaps know this form of
            question; the graph is that of the source alone.
        continuations: source language -> the text that asks, behind the source, for models that can only continue a text;
            it ends in `ANSWER`.
        embedded: whether there is an honest embedded source of examples.
        compared: the sides of an example, `source` and `target`, by which a near duplicate of another is known; not the
            target where many examples have the same short one.
        max_source_tokens: longest source, in tokens of the backbone's tokenizer.
        max_target_tokens: longest target, in tokens of the backbone's tokenizer.
        metrics: names in `tasks.metrics.METRICS`, in the order in which they are shown. Higher is better for each.
        headline: the one of them that models are compared by.
        generation: settings of `generate` that fit the task; none of them may carry decoder inputs.
    """

    name: str
    summary: str
    placeholder: str | None
    languages: tuple[str, ...]
    max_source_tokens: int
    max_target_tokens: int
    metrics: tuple[str, ...]
    headline: str
    answer_language: str = "source"
    frames: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    continuations: Mapping[str, str] = field(default_factory=dict)
    embedded: bool = True
    compared: tuple[str, ...] = ("source",)
    generation: Mapping[str, Any] = field(default_factory=dict)

    def model_input(self, source: str) -> str:
        """The text that a model is given for `source`.

        It is the only way from an example to a model at prediction, and it takes a text, not an example, so that a
        target cannot reach the model through it.

        Raises:
            TaskInputError: `source` is not text.
            PlaceholderError: the placeholder stands in it not exactly once.
        """
        if not isinstance(source, str):
            raise TaskInputError(f"the input of task {self.name!r} is made from {type(source).__name__}; expected the "
                                 f"source text alone, so that no target can leak: pass example.source")
        problem = self.placeholder_problem(source)
        if problem:
            raise PlaceholderError(f"source {problem}")
        return source

    def frame(self, language: str, fills_gaps: bool = True) -> tuple[str, str] | None:
        """What stands around a source in `language`, for a model that fills gaps or one that continues; None where the
        source holds the place of the answer itself."""
        if not fills_gaps:
            return "", self.continuations[language]
        return self.frames[language] if self.frames else None

    def language_of_answers(self, language: str) -> str:
        """The language that answers to a source in `language` are in."""
        return language if self.answer_language == "source" else self.answer_language

    def placeholder_problem(self, source: str) -> str | None:
        """What is wrong with the placeholder of `source` and what to do, or None."""
        if self.placeholder is None:
            return None
        count = source.count(self.placeholder)
        if count == 1:
            return None
        found = "does not hold the placeholder" if count == 0 else f"holds the placeholder {count} times"
        return (f"{found} {self.placeholder} of task {self.name!r}; expected it exactly once: put it, with its quotes, "
                f"where the answer belongs")

    def check_language(self, language: str) -> str:
        """`language`, if it is one of the task's.

        Raises:
            TaskLanguageError: it is none of them.
        """
        if language not in self.languages:
            raise TaskLanguageError(unknown_name(f"language of task {self.name!r}", language, self.languages))
        return language
