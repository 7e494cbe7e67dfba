"""Requests for different transducers in one forward and one `generate` of the model that they share.

    rows of transducer 1 ── fused ──> E'_1, s_1, b_1, z_1 ┐
    rows of transducer 2 ── fused ──> E'_2, s_2, b_2, z_2 ├─ padding cut, one padded [B, T, D] ── Backbone.generate ──> ids ── decode
    ...                                                   ┘             one s [B, P, w] and the b of all for each role, one padded
                                                                        z [B, K, D]

What is guaranteed. A row's answer is a function of its own request: masks keep rows and padding apart, and a row that has
ended or has reached its own limit of tokens is changed no more. The numbers on the way are the same up to the order in which
matrix products add, which depends on the shape of the batch. In float32 that moves logits by some 1e-5, so the answer equals
that of the request alone unless two candidates lie closer than that. In bfloat16 a sum that falls on the other side of a
rounding step is off by 2^-8 of its size, and answers with close candidates do differ: serve in float32 where they must not.

Cost beyond a batch of one transducer: a call of `fused` for each further one, some milliseconds.
"""
from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import StoppingCriteria, StoppingCriteriaList

from ..backbone import Backbone
from ..fusion import Bottleneck, FusedInput, ReadApart
from ..tensors import Collator
from .jobs import Answer, Job


@torch.no_grad()
def answer(backbone: Backbone, jobs: Sequence[Job]) -> None:
    """Sets the result of every job, which all have the same number of beams."""
    begin = time.monotonic()
    for job in jobs:
        job.started = begin
    fused = joined(fused_rows(backbone, jobs))
    watch = Watch(backbone, jobs)
    with watched(backbone, watch):
        ids = backbone.generate(*fused, beams=jobs[0].beams, max_new_tokens=max(job.max_new_tokens for job in jobs))
    for job, row in zip(jobs, ids[:, watch.start:].tolist()):
        watch.end(job, row)


@contextmanager
def watched(backbone: Backbone, watch: Watch) -> Iterator[None]:
    """Within it, the model asks `watch` after every token that it generates; for use by one thread at a time.

    It stands around `Backbone.generate`, which so need not know that anybody watches, whatever the family feeds its model.
    """
    model = backbone.model
    model.generate = partial(model.generate, stopping_criteria=StoppingCriteriaList([watch]))
    try:
        yield
    finally:
        del model.generate  # what the class has comes back


class FusedRow(NamedTuple):
    """What the model is given for one request: embeddings [t, D] without padding; role -> [P, w], None without scales; what was
    read apart, as a batch of one without padding, None without the part `beyond` and where there was nothing; role -> what is
    added behind blocks, as a batch of one, None without bottlenecks."""

    embeddings: Tensor
    scales: dict[str, Tensor] | None
    apart: ReadApart | None
    bottlenecks: dict[str, Bottleneck] | None


def fused_rows(backbone: Backbone, jobs: Sequence[Job]) -> list[FusedRow]:
    """The model's input of every job; each transducer is called once for all of its jobs, or once for each of them where
    padding would change them."""
    collate = Collator(backbone.pad_token_id)
    rows: dict[Job, FusedRow] = {}
    for model in dict.fromkeys(job.served.model for job in jobs):
        own = [job for job in jobs if job.served.model is model]
        for together in [[job] for job in own] if model.fusion.reads_padding else [own]:
            fused = model.fused(**_on(backbone, collate([job.inputs for job in together])))
            for number, job in enumerate(together):
                tokens = fused.embeddings[number][fused.attention_mask[number].bool()]
                scales = None if fused.scales is None else {role: factors[number] for role, factors in fused.scales.items()}
                units = None if fused.bottlenecks is None else {
                    role: units._replace(shares=units.shares[number:number + 1], owner=units.owner[number:number + 1])
                    for role, units in fused.bottlenecks.items()}
                rows[job] = FusedRow(tokens, scales, _row(fused.apart, number), units)
    return [rows[job] for job in jobs]


def joined(rows: Sequence[FusedRow]) -> FusedInput:
    """The rows as one batch with padding behind; those without scales are multiplied by one where others have some, those
    that read nothing apart attend to nothing there, and to those without bottlenecks nothing is added."""
    embeddings = [row.embeddings for row in rows]
    longest = max(map(len, embeddings))
    lengths = torch.tensor([len(row) for row in embeddings], device=embeddings[0].device)
    mask = torch.arange(longest, device=lengths.device) < lengths.unsqueeze(-1)
    some = next((row.scales for row in rows if row.scales is not None), None)
    scales = some and {role: torch.stack([torch.ones_like(like) if row.scales is None else row.scales[role] for row in rows])
                       for role, like in some.items()}
    return FusedInput(torch.stack([pad(row, (0, 0, 0, longest - len(row))) for row in embeddings]), mask.long(), scales,
                      _together([row.apart for row in rows]), _beside([row.bottlenecks for row in rows]))


def _row(apart: ReadApart | None, number: int) -> ReadApart | None:
    """What one row of a batch has read apart."""
    if apart is None or not apart.mask[number].any():
        return None
    kept = apart.mask[number].bool()
    return ReadApart(tuple(part[number:number + 1, :, kept] for part in apart.parts), apart.mask[number:number + 1, kept],
                     apart.lengths[number:number + 1])


def _together(rows: Sequence[ReadApart | None]) -> ReadApart | None:
    """Rows as one batch with padding behind."""
    some = next((row for row in rows if row is not None), None)
    if some is None:
        return None
    nothing = ReadApart(tuple(part[:, :, :0] for part in some.parts), some.mask[:, :0], torch.zeros_like(some.lengths))
    rows = [row or nothing for row in rows]
    longest = max(row.mask.shape[1] for row in rows)
    missing = [longest - row.mask.shape[1] for row in rows]
    parts = zip(*([pad(part, (0, 0, 0, count)) for part in row.parts] for row, count in zip(rows, missing)))
    return ReadApart(tuple(torch.cat(part) for part in parts), torch.cat([pad(row.mask, (0, count)) for row, count in zip(rows, missing)]),
                     torch.cat([row.lengths for row in rows]))


def _beside(rows: Sequence[dict[str, Bottleneck] | None]) -> dict[str, Bottleneck] | None:
    """The bottlenecks of rows, each of which keeps its own: a set of units for each transducer, as wide as the widest."""
    some = next((row for row in rows if row is not None), None)
    return some and {role: _of_role([None if row is None else row[role] for row in rows], some[role]) for role in some}


def _of_role(rows: Sequence[Bottleneck | None], like: Bottleneck) -> Bottleneck:
    sets = list({id(row.down): row for row in rows if row is not None}.values())  # rows of one transducer hold one tensor
    numbers = {id(one.down): number for number, one in enumerate(sets)}
    widest = max(one.down.shape[1] for one in sets)
    nothing = torch.zeros_like(like.shares)
    shares = [nothing if row is None else row.shares for row in rows]
    return Bottleneck(torch.cat([pad(one.down, (0, 0, 0, widest - one.down.shape[1])) for one in sets]),
                      torch.cat([pad(one.up, (0, widest - one.up.shape[2])) for one in sets]),
                      torch.cat([pad(own, (0, widest - own.shape[2])) for own in shares]),
                      torch.tensor([0 if row is None else numbers[id(row.down)] for row in rows], device=like.owner.device))


def reading_weights(backbone: Backbone, job: Job) -> dict[str, Tensor]:
    """By what weights the parts of the job's fusion read its graph: part -> [R, 1 + N], on the CPU."""
    batch = _on(backbone, Collator(backbone.pad_token_id)([job.inputs]))
    return {name: weights[0].float().cpu() for name, weights in job.served.model.explain(**batch).items()}


def _on(backbone: Backbone, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(backbone.device) for name, tensor in batch.items()}


class Watch(StoppingCriteria):
    """Looks at a batch after every token: ends the rows that have reached their own limit or that nobody waits for.

    With a single beam it also hands on the text so far, and each answer as soon as its row has ended. With several, which
    beam wins is known at the end only.
    """

    def __init__(self, backbone: Backbone, jobs: Sequence[Job]):
        self._backbone, self._jobs = backbone, jobs
        self._greedy = jobs[0].beams == 1
        self._rows: list[list[int]] = [[] for _ in jobs]
        ends = backbone.model.generation_config.eos_token_id
        self._ends = set(ends) if isinstance(ends, (list, tuple)) else {ends}
        self._transducers = len({job.served.name for job in jobs})
        self._generated = 0
        self.start = 0
        """Ids in front of the first generated one: an encoder-decoder's start token."""

    def __call__(self, input_ids: Tensor, scores, **kwargs) -> Tensor:
        if not self._generated:
            self.start = input_ids.shape[1] - 1
        self._generated += 1
        if self._greedy:
            self._follow(input_ids[:, -1].tolist())
        stopped = [job.dropped or self._generated >= job.max_new_tokens for job in self._jobs]
        candidates = input_ids.shape[0] // len(self._jobs)
        return torch.tensor(stopped, device=input_ids.device).repeat_interleave(candidates)

    def _follow(self, tokens: list[int]) -> None:
        for job, row, token in zip(self._jobs, self._rows, tokens):
            if job.result.done() or job.dropped:
                continue
            row.append(token)
            if token in self._ends or len(row) >= job.max_new_tokens:
                self.end(job, row)
            elif job.on_text:
                job.say(job.served.preparer.text.decode(row))

    def end(self, job: Job, row: list[int]) -> None:
        """Sets the result of a job from the ids of its row, which other rows may have outlived."""
        if job.result.done() or job.dropped:
            return
        row = row[:job.max_new_tokens]
        ends = [place for place, token in enumerate(row) if token in self._ends]
        row = row[:ends[0] + 1] if ends else row
        text = job.served.preparer.text.decode(row)
        job.say(text, last=True)
        weights = reading_weights(self._backbone, job) if job.explain else None
        job.end(Answer(text, len(row), "end" if ends else "length", len(self._jobs), self._transducers,
                       job.started - job.queued, time.monotonic() - job.started, weights))
