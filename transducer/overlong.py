"""What happens to examples that are longer than the limits in tokens: nothing is dropped or cut without a count.

* `truncate`: sources are cut as `text.TextEncoder` says, targets at the end; the counts are shown.
* `skip`: they are left out of all splits; the counts are shown.
* `error`: the first one ends the run before it begins.

In the test split only the source's length counts: which examples are scored must not depend on their answers.
"""
from __future__ import annotations

from collections.abc import Sequence

from tasks import Example, Task

from .errors import DataError
from .text import TextEncoder

OVERLONG = ("truncate", "skip", "error")


def within_limits(examples: Sequence[Example], split: str, policy: str, task: Task, encoder: TextEncoder) -> list[Example]:
    """The examples that a run is to have under `policy`. Cost: tokenizes every example, but for `truncate`.

    Raises:
        DataError: an example is too long and the policy is `error`.
    """
    if policy == "truncate":
        return list(examples)
    kept = []
    for example in examples:
        problem = _problem(example, task, encoder, targets=split != "test")
        if problem and policy == "error":
            raise DataError(f"{split} example {example.id!r}: {problem}; raise the limit, or give --overlong truncate or skip")
        if not problem:
            kept.append(example)
    if not kept:
        raise DataError(f"no {split} example is within {encoder.max_source_tokens} source and {encoder.max_target_tokens} "
                        f"target tokens; raise the limits, or give --overlong truncate")
    return kept


def _problem(example: Example, task: Task, encoder: TextEncoder, targets: bool) -> str:
    encoded = encoder.encode_source(task.model_input(example.source), task.frame(example.language))
    if encoded.truncated:
        return f"its source is longer than --max-source-tokens {encoder.max_source_tokens}"
    labels = encoder.encode_target(example.target, encoded.blank_before_answer) if targets else None
    if labels is not None and int(labels[-1]) != encoder.tokenizer.eos_token_id:
        return f"its target is longer than --max-target-tokens {encoder.max_target_tokens}"
    return ""
