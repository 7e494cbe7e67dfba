"""Task `assert`: a test with its assertion replaced by a placeholder, plus the method under test -> the assertion.

The form of the input follows ATLAS (Watson et al., ICSE 2020): the test method, in which `"<AssertPlaceHolder>"` stands
as a statement where the assertion was, then the focal method. The quotes belong to the placeholder, so that the source still
parses. Later assertions are gone; earlier ones are gone from data made in the manner of ATLAS, which has tests with a single
assertion, and stay in the embedded data (`tasks.mining`). An answer that stands in the source as it is makes no example.
"""

from __future__ import annotations

from .base import ANSWER, Task

PLACEHOLDER = '"<AssertPlaceHolder>"'

ASSERTION = Task(
    name="assert",
    summary="generate the assertion of a test from the rest of the test and the focal method",
    placeholder=PLACEHOLDER,
    languages=("python", "java", "csharp"),
    max_source_tokens=400,
    max_target_tokens=64,
    metrics=("exact_match", "bleu", "codebleu", "chrf"),
    headline="exact_match",
    continuations={"python": f"\n# {PLACEHOLDER} is:\n{ANSWER}",
                   **dict.fromkeys(("java", "csharp"), f"\n// {PLACEHOLDER} is:\n{ANSWER}")},
    generation={"num_beams": 2, "max_new_tokens": 64, "do_sample": False},
)
