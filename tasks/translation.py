"""Task `translate`: a Java method -> the same method in C# (CodeXGLUE, code-to-code-trans; Lu et al., 2021).

There is no embedded source: the packages installed with this project hold no functions in two languages that were written
to be the same, and made-up pairs would say nothing.
"""

from __future__ import annotations

from .base import ANSWER, Task

TRANSLATION = Task(
    name="translate",
    summary="translate a method from Java to C#",
    placeholder=None,
    languages=("java",),
    max_source_tokens=400,
    max_target_tokens=150,
    metrics=("exact_match", "bleu", "codebleu", "chrf"),
    headline="codebleu",
    answer_language="csharp",
    frames={"java": ("", f"\n// C#\n{ANSWER}")},
    continuations={"java": f"\n// C#\n{ANSWER}"},
    embedded=False,
    compared=("source", "target"),
    generation={"num_beams": 2, "max_new_tokens": 150, "do_sample": False},
)
