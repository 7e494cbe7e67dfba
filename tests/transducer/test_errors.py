"""The exception tree: complete, as drawn, and readable."""

from __future__ import annotations

import inspect
import pickle

import pytest

from transducer import errors

CLASSES = [member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, Exception)]


def test_every_error_is_drawn_and_derives_from_the_base() -> None:
    assert len(CLASSES) >= 10
    for error in CLASSES:
        assert issubclass(error, errors.TransducerError)
        assert error.__name__ in errors.__doc__, error


@pytest.mark.parametrize("error", [error for error in CLASSES if error is not errors.TransducerError])
def test_every_error_is_a_builtin_too_prints_its_message_and_survives_pickling(error: type[Exception]) -> None:
    builtin = [base for base in error.__mro__ if base.__module__ == "builtins"]
    assert builtin[0] is not Exception
    assert str(error("a message")) == "a message"
    assert str(pickle.loads(pickle.dumps(error("a message")))) == "a message"


def test_unknown_name_lists_the_table_and_the_nearest_match() -> None:
    text = str(errors.UnknownNameError.among("layer", "gatv3", ["gatv2", "linear"]))
    assert text == "unknown layer 'gatv3'; expected one of: gatv2, linear. Did you mean 'gatv2'?"
    assert "Did you mean" not in str(errors.UnknownNameError.among("layer", "xyz", ["gatv2", "linear"]))
