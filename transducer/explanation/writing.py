"""A file with the heat map of one answer."""
from __future__ import annotations

from pathlib import Path

from cpg import extract

from ..model import TransducerModel
from ..prepare import PreparationReport, Preparer
from ..storage import write_text
from ..tensors import Collator
from .page import explanation_page
from .reading import reading


def write_explanation(path: Path, model: TransducerModel, preparer: Preparer, source: str, language: str, *, answer: str,
                      title: str) -> None:
    """Writes what the model's input read, with the answer, as one page that loads nothing.

    Args:
        path: the HTML file; replaced where it is there.
        model, preparer: what the answer was made with.
        source: the model's input as text, in `language`.
        title: of the page.
    """
    encoded, inputs = preparer.model_input(source, language, PreparationReport())
    batch = Collator(model.backbone.pad_token_id)([inputs])
    weights = model.explain(**{name: tensor.to(model.backbone.device) for name, tensor in batch.items()})
    data = reading(model.backbone, encoded, extract(encoded.text, language), model.settings.fusion,
                   {name: found[0].float().cpu() for name, found in weights.items()})
    summary = f"task {model.task or 'unknown'} · {language} · {len(encoded.token_ids)} tokens · fusion {model.settings.fusion}"
    write_text(path, explanation_page(data, title=title, answer=answer, summary=summary))
