"""Task `repair`: a function with a defect -> the function without it (Tufano et al., 2019, as in CodeXGLUE)."""

from __future__ import annotations

from .base import ANSWER, Task

_FRAMES = {
    "python": ("", f"\n# Corrected:\n{ANSWER}"),
    **dict.fromkeys(("java", "csharp", "javascript", "c", "cpp", "go"), ("", f"\n// Corrected:\n{ANSWER}")),
}

REPAIR = Task(
    name="repair",
    summary="generate the corrected form of a function that has a defect",
    placeholder=None,
    languages=("python", "java", "csharp", "javascript", "c", "cpp", "go"),
    max_source_tokens=400,
    max_target_tokens=150,
    metrics=("exact_match", "bleu", "codebleu", "edit_similarity"),
    headline="exact_match",
    compared=("source", "target"),
    frames=_FRAMES,
    continuations={language: behind for language, (_, behind) in _FRAMES.items()},
    generation={"num_beams": 2, "max_new_tokens": 150, "do_sample": False},
)
