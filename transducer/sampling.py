"""A fixed choice of examples from a split."""
from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tasks import Example


def limited(examples: Sequence[Example], limit: int) -> list[Example]:
    """At most `limit` examples (0: all), chosen by a hash of their ids and kept in their order.

    The choice does not depend on seeds, so every method and every seed is measured on the same examples, and a smaller
    choice is part of a larger one.
    """
    return [examples[place] for place in limited_places(examples, limit)]


def limited_places(examples: Sequence[Example], limit: int) -> list[int]:
    """The places of the examples that `limited` chooses."""
    if not limit or limit >= len(examples):
        return list(range(len(examples)))
    ranked = sorted(range(len(examples)), key=lambda index: hashlib.sha256(examples[index].id.encode()).digest())
    return sorted(ranked[:limit])
