"""A start of the weights from which copying can be learnt in minutes rather than days.

To copy, a decoder that has just written a token must find the places in the input where that token stands and read what
follows. That takes two heads which have no use without each other: one in the encoder that carries the previous token
along, and one in the decoder that matches on it. A random start waits very long for the two to meet. Here they are put
in place, in the manner of mimetic initialisation (Trockman and Kolter, 2023) and of induction heads (Olsson et al.,
2022); everything else, and these heads too, is trained as usual.

With P a random projection of [64, D] and e the embedding of a token:

    encoder, first layer, head 0: attends to the position before; adds P'^T P e_before to the residual stream
    decoder, second and third layer, cross-attention heads 0 and 1: query P e_written, key P' x_i, so they find
        `before = written`; value and output Q^T Q x_i, which raises the logit of the token that stands there. The Q of
        the four heads [64, D] are slices of one orthogonal matrix: together they hand the whole vector on

Deviation from T5: the starting values of the matrices of these heads and of one position bias, nothing in the architecture.
"""
from __future__ import annotations

import torch
from transformers import T5ForConditionalGeneration

NEIGHBOUR_BIAS = 6.0
"""Of 250 positions, the one whose attention score starts this high gets about 60 % of the weight."""

BEFORE_BUCKET, AFTER_BUCKET = 1, 17
"""T5's buckets of the relative positions -1 and, where it sees both sides, +1."""

MATCH = 0.8
"""Scale of the matching query: a match starts about twenty above the rest in attention score."""

COPY = 3.0
"""Scale of what a copying head adds to the residual stream."""

COPYING_LAYERS, COPYING_HEADS = (1, 2), 2


@torch.no_grad()
def start_with_copying(model: T5ForConditionalGeneration) -> None:
    """Sets the weights that the module describes, in place, drawing from torch's generator."""
    width, size = model.config.d_model, model.config.d_kv
    rows = slice(0, size)
    carrier = model.encoder.block[0].layer[0].SelfAttention
    carrier.relative_attention_bias.weight[BEFORE_BUCKET, 0] = NEIGHBOUR_BIAS
    carrier.relative_attention_bias.weight[AFTER_BUCKET, 1] = NEIGHBOUR_BIAS
    written = torch.randn(size, width) / width**0.5          # P
    carried = torch.linalg.qr(torch.randn(width, size)).Q.T  # P', orthonormal rows
    carrier.v.weight[rows] = written
    carrier.o.weight[:, rows] = carried.T
    handed_on = torch.linalg.qr(torch.randn(width, width)).Q  # slices of it are the Q of the heads
    readers = [(layer, head) for layer in COPYING_LAYERS for head in range(COPYING_HEADS)
               if layer < len(model.decoder.block) and head < model.config.num_heads]
    for number, (layer, head) in enumerate(readers):
        reader = model.decoder.block[layer].layer[1].EncDecAttention
        rows = slice(head * size, (head + 1) * size)
        read = handed_on[(torch.arange(size) + number * size) % width]
        reader.q.weight[rows] = MATCH * written
        reader.k.weight[rows] = carried
        reader.v.weight[rows] = read
        reader.o.weight[:, rows] = COPY * read.T
