"""Entries of the tables that a test can be run on."""
from __future__ import annotations

from transducer.methods import METHODS, method_class

METHODS_OF_EVERY_FAMILY = [name for name in METHODS if method_class(name).has_loss and not method_class(name).model_types]
"""All methods that adapt or ask a model, but those for the parts of one family; the tiny T5 takes them."""
