"""Method `retrieval`: the answer to the most similar training source, the nearest-neighbour line of a table.

What it scores is what looking up is worth; a method below it has learned less than that. Similarity is that of Jaccard
over the sets of tokens that the model would be given, as in the retrieval baseline for assertions of Yu et al. (ICSE 2022,
IR_ar); of equally similar sources the first in the data counts.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix

from ..adapted_model import DirectModel
from ..errors import ConfigurationError
from ..tensors import PreparedExample
from .saving import Switch, load_fact, load_tensors, save_tensors


class NearestNeighbour(Switch, DirectModel):
    """Nothing is trained; the training examples themselves are what is saved. Asking costs time linear in them."""

    method = "retrieval"
    has_loss = False
    remark = "the target of the training example whose source has the most tokens in common; has no loss"

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        self._remember([], [])

    def remember(self, examples: Sequence[PreparedExample]) -> None:
        self._remember([np.unique(example.input_ids) for example in examples], [example.labels for example in examples])

    def _remember(self, sources: list[np.ndarray], targets: list[np.ndarray]) -> None:
        self._sources, self._targets = sources, targets
        self._matrix = self._token_sets(sources)

    def _token_sets(self, sources: Iterable[np.ndarray]) -> csr_matrix:
        """[sources, vocabulary], 1 where a source holds a token; each is given as its distinct ids."""
        sources = list(sources)
        ends = np.cumsum([0, *map(len, sources)])
        columns = np.concatenate(sources) if sources else np.zeros(0, dtype=np.int64)
        size = len(self.backbone.tokenizer)
        return csr_matrix((np.ones(len(columns), dtype=np.float32), columns, ends), shape=(len(sources), size))

    def nearest(self, sources: Sequence[np.ndarray]) -> np.ndarray:
        """The place of the most similar training source, for each of these ids.

        Raises:
            ConfigurationError: there are no training examples.
        """
        if not self._sources:
            raise ConfigurationError("method 'retrieval' was given no training examples; raise --train-limit")
        asked = self._token_sets(map(np.unique, sources))
        common = (asked @ self._matrix.T).toarray()
        sizes = self._matrix.getnnz(axis=1)[None, :] + asked.getnnz(axis=1)[:, None]
        return (common / (sizes - common)).argmax(axis=1)

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        if not self._enabled:
            return super().forward(input_ids, attention_mask, labels, **graph)
        raise ConfigurationError("method 'retrieval' looks answers up and gives them no probabilities, so it has no loss")

    @torch.no_grad()
    def generate(self, batch, *, beams, max_new_tokens):
        if not self._enabled:
            return super().generate(batch, beams=beams, max_new_tokens=max_new_tokens)
        sources = [ids[mask.bool()].numpy() for ids, mask in zip(batch["input_ids"].cpu(), batch["attention_mask"].cpu())]
        answers = [torch.from_numpy(self._targets[place][:max_new_tokens]) for place in self.nearest(sources)]
        return torch.nn.utils.rnn.pad_sequence(answers, batch_first=True, padding_value=self.backbone.pad_token_id)

    def save(self, folder: Path) -> None:
        lengths = {"sources": list(map(len, self._sources)), "targets": list(map(len, self._targets))}
        tensors = {name: torch.from_numpy(np.concatenate([np.zeros(0, dtype=np.int64), *texts]).astype(np.int32))
                   for name, texts in (("sources", self._sources), ("targets", self._targets))}
        save_tensors(Path(folder), self.method, vars(self.settings), tensors, lengths=lengths)

    def load(self, folder: Path) -> None:
        lengths = load_fact(Path(folder), self.method, "lengths")
        expected = {name: torch.empty(sum(lengths[name])) for name in ("sources", "targets")}
        tensors = load_tensors(Path(folder), self.method, expected)
        self._remember(*(np.split(tensors[name].numpy().astype(np.int64), np.cumsum(lengths[name])[:-1]) for name in expected))
