"""Node vectors from the backbone's own input embeddings: nothing else is downloaded, trained or stored.

`X_n = 1/2 mean(E[tokens of the node's text]) + 1/2 mean(E[words of the node's type])`, [N, D], in float32. The paper
uses a sentence encoder of 335 million parameters on the node's label instead; the table of the backbone costs one
weighted gather a batch, N x 20 rows, and speaks the language that the fused embeddings are in.
"""
from __future__ import annotations

import torch


def node_features(embedding_weight: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """[N, D] frozen vectors of the nodes in a collated batch; independent of what else is in the batch."""
    with torch.no_grad():
        return torch.nn.functional.embedding_bag(
            batch["graph_bag_ids"], embedding_weight, batch["graph_bag_offsets"],
            per_sample_weights=batch["graph_bag_weights"].to(embedding_weight.dtype), mode="sum").float()
