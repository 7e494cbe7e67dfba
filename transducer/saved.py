"""What the commands that use a saved transducer share: its flags, and loading it."""
from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .model import TransducerModel


def add_saved_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--transducer", required=True, metavar="FOLDER_OR_ID",
                        help="folder of a saved transducer, or its id on the hub (user/name)")
    parser.add_argument("--transducer-revision", default="", metavar="TEXT", help="branch, tag or commit of a transducer on the hub")
    parser.add_argument("--model", help="the backbone, where it is not to be found under the name in the transducer")
    parser.add_argument("--quantize", default="", choices=("none", "8bit", "4bit"), help="bits of the backbone's weights; default: as "
                        "the transducer was trained")
    parser.add_argument("--allow-mismatch", action="store_true", help="take a backbone with other weights than the transducer was made "
                        "for, of the same width, family and tokenizer: a fine-tune of the same model")


def saved_folder(options: argparse.Namespace) -> Path:
    """The folder that the flags name; a transducer on the hub is fetched."""
    from .hub import located

    return located(options.transducer, options.transducer_revision or None)


def load_saved(options: argparse.Namespace, folder: Path | None = None) -> TransducerModel:
    """The transducer that the flags name, on its backbone; `folder` is what `saved_folder` gave, where it was asked before."""
    from checkpoints.artefact import read_configuration

    from .backbone import load_backbone
    from .model import TransducerModel

    folder = folder or saved_folder(options)
    backbone = None
    if options.model:
        backbone = load_backbone(options.model, quantize=options.quantize or read_configuration(folder)["backbone"]["quantize"])
    return TransducerModel.from_pretrained(folder, backbone, quantize=options.quantize, allow_mismatch=options.allow_mismatch)
