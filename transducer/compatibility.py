"""Whether a transducer and a backbone belong together: what an artefact records of its backbone, and how it is compared.

A transducer's tensors are of one width and, where it multiplies signals, of certain layers; its alignment with the graph is of
one tokenizer, and what it learned is of one set of weights. All but the weights, and the family, cannot be given way on; the
weights can, for fine-tunes of the same model.
"""
from __future__ import annotations

import hashlib
import json
import logging

from .backbone import Backbone
from .errors import BackboneMismatchError

LOG = logging.getLogger(__name__)

PROBES = (
    "def total(values):\n    return sum(value ** 2 for value in values)  # größe, 数\n",
    "public static int maxOf(int[] items) {\r\n\treturn items[0] >= 10_000 ? -1 : 0x1F;\r\n}",
    "assertEquals(\"a\\tb\", cache.get('key'), 1e-9);   </s><extra_id_0> <|endoftext|>",
    "  camelCaseName snake_case_name SCREAMING_CASE  x+=1;;  \n\n\n!=&&||->::@Test \U0001f600 e\u0301",
)
"""Texts whose tokens and offsets tell tokenizers apart that have the same vocabulary: blanks, line ends, numbers, names of
several words, punctuation, letters beyond ASCII, and special tokens as text."""


def tokenizer_fingerprint(tokenizer) -> str:
    """SHA-256 over the vocabulary, the special tokens, and the ids and character offsets of the probes.

    It is of what a tokenizer does, so it is the same however the tokenizer is stored. Takes one to two microseconds an entry.
    """
    fast = bool(getattr(tokenizer, "is_fast", False))
    digest = hashlib.sha256()
    for token, number in sorted(tokenizer.get_vocab().items()):
        digest.update(f"{number} {token}\n".encode("utf-8", errors="surrogatepass"))
    found = [tokenizer(text, add_special_tokens=False, return_offsets_mapping=fast, split_special_tokens=True, verbose=False)
             for text in PROBES]
    behaviour = {
        "special": [getattr(tokenizer, f"{name}_token_id", None) for name in ("bos", "eos", "pad", "unk")],
        "around": tokenizer("", verbose=False)["input_ids"],
        "probes": [[list(probe["input_ids"]), [list(span) for span in probe["offset_mapping"]] if fast else None]
                   for probe in found],
    }
    digest.update(json.dumps(behaviour).encode())
    return digest.hexdigest()


def backbone_record(backbone: Backbone, multiplied: bool, added: bool) -> dict:
    """What an artefact states of its backbone; whether the transducer multiplies its signals, and whether it adds to the outputs
    of its blocks."""
    return {"name": backbone.name, "revision": backbone.revision, "fingerprint": backbone.fingerprint, "width": backbone.width,
            "precision": backbone.precision, "quantize": backbone.quantize, "tokenizer": tokenizer_fingerprint(backbone.tokenizer),
            "family": backbone.model.config.model_type, "parameters": backbone.parameter_count,
            "roles": {role: list(shape) for role, shape in backbone.places.roles.items()} if multiplied else {},
            "blocks": backbone.writers.roles if added else {}}


def check_backbone(transducer: str, made_for: dict, backbone: Backbone, allow_mismatch: bool = False) -> bool:
    """Whether the backbone's weights are those that a transducer was made for; other weights are told in one line of the log.

    Args:
        transducer: where it is from, for messages.
        made_for: the `backbone` of its configuration.
        allow_mismatch: takes other weights of the same width, family and tokenizer.

    Raises:
        BackboneMismatchError: another width, family, tokenizer or other layers, or other weights that are not allowed.
    """
    wanted = f"transducer {transducer} was made for {made_for['name']}"
    remedy = "give that model, or train again on this one"
    if backbone.width != made_for["width"]:
        raise BackboneMismatchError(f"{wanted} of width {made_for['width']}, got {backbone.name} of width {backbone.width}, whose "
                                    f"embeddings its tensors do not fit; {remedy}")
    family = backbone.model.config.model_type
    if made_for["family"] and family != made_for["family"]:
        raise BackboneMismatchError(f"{wanted} of the family {made_for['family']}, got {backbone.name} of the family {family}; "
                                    f"{remedy}")
    roles = {role: list(shape) for role, shape in backbone.places.roles.items()} if made_for["roles"] else {}
    if roles != made_for["roles"]:
        odd = sorted(role for role in roles.keys() | made_for["roles"].keys() if roles.get(role) != made_for["roles"].get(role))[0]
        raise BackboneMismatchError(f"{wanted}, where {odd} are {_places(made_for['roles'].get(odd))}, got {backbone.name}, where they "
                                    f"are {_places(roles.get(odd))}: its scales do not fit these layers; {remedy}")
    blocks = backbone.writers.roles if made_for["blocks"] else {}
    if blocks != made_for["blocks"]:
        odd = sorted(role for role in blocks.keys() | made_for["blocks"].keys() if blocks.get(role) != made_for["blocks"].get(role))[0]
        raise BackboneMismatchError(f"{wanted}, which has {made_for['blocks'].get(odd, 0)} blocks {odd}, got {backbone.name}, which has "
                                    f"{blocks.get(odd, 0)}: its bottlenecks do not fit these layers; {remedy}")
    tokenizer = tokenizer_fingerprint(backbone.tokenizer)
    if made_for["tokenizer"] and tokenizer != made_for["tokenizer"]:
        raise BackboneMismatchError(f"{wanted} with its tokenizer ({made_for['tokenizer'][:12]}), got {backbone.name} with another "
                                    f"({tokenizer[:12]}): other tokens, other ids or other offsets, with which nodes would be "
                                    f"aligned wrongly; {remedy}")
    if backbone.fingerprint == made_for["fingerprint"]:
        return True
    weights = f"(weights {made_for['fingerprint'][:12]})", f"(weights {backbone.fingerprint[:12]})"
    if not allow_mismatch:
        raise BackboneMismatchError(f"{wanted} {weights[0]}, got {backbone.name} {weights[1]}; {remedy}, or, where it is a "
                                    "fine-tune of that model, allow the mismatch (--allow-mismatch)")
    compared = "width and family are the same, the tokenizer was not recorded" if not made_for["tokenizer"] else (
        "width, family and tokenizer are the same")
    LOG.warning("%s %s and runs on %s %s: %s, the weights differ; its measured results do not hold here",
                wanted, weights[0], backbone.name, weights[1], compared)
    return False


def _places(shape: list[int] | None) -> str:
    return "none" if shape is None else f"{shape[1]} of width {shape[0]}"
