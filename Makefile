# `make train` and `make test` each go from a fresh clone to done, in a virtual environment of their own.
PYTHON ?= $(firstword $(shell command -v python3.11) python3)
VENV ?= .venv
BIN = $(VENV)/bin
ARGS ?=

# The libraries are compiled to bytecode when they are first imported; without files of it, by every process again.
unexport PYTHONDONTWRITEBYTECODE
# What nearly every command imports is compiled with the installation, once, and not by the first processes side by side.
OFTEN_IMPORTED = transducer.comparison.worker, transducer.methods.peft_methods, transducer.trainer, tasks.metrics, pytest

.PHONY: train test install clean

train: $(VENV)/installed
	$(BIN)/python -m transducer.train --task assert --baselines none lora prefix $(ARGS)

test: $(VENV)/installed
	$(BIN)/python -m pytest $(ARGS)

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else "Python 3.11 is needed, this is %s; set PYTHON=/path/to/python3.11" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[test]'
	$(BIN)/python -c 'import $(OFTEN_IMPORTED)'
	touch $@

clean:
	rm -rf $(VENV)
