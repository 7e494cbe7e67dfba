"""Task `summarize`: a function or method without its documentation -> the first sentence of its documentation.

The answer belongs into a comment in front of the code, which is where documentation stands in the texts that code models
were pre-trained on.
"""

from __future__ import annotations

from .base import ANSWER, Task

_BLOCK_COMMENT = (f"/** {ANSWER} */\n", "")

SUMMARIZATION = Task(
    name="summarize",
    summary="generate the one-sentence documentation of a function from its code",
    placeholder=None,
    languages=("python", "java", "csharp", "javascript", "typescript", "c", "cpp", "go"),
    max_source_tokens=400,
    max_target_tokens=48,
    metrics=("exact_match", "sentence_bleu", "rouge_l", "chrf"),
    headline="sentence_bleu",
    answer_language="english",
    frames={
        "python": (f"# {ANSWER}\n", ""),
        "go": (f"// {ANSWER}\n", ""),
        **dict.fromkeys(("java", "csharp", "javascript", "typescript", "c", "cpp"), _BLOCK_COMMENT),
    },
    continuations={
        "python": f"\n# Summary: {ANSWER}",
        **dict.fromkeys(("java", "csharp", "javascript", "typescript", "c", "cpp", "go"), f"\n// Summary: {ANSWER}"),
    },
    generation={"num_beams": 2, "max_new_tokens": 48, "do_sample": False},
)
