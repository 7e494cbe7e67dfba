"""cpg: source code -> Code Property Graph.

    >>> from cpg import extract
    >>> graph = extract("int twice(int x) { return x + x; }", "java")
    >>> [graph.nodes.text_of(i) for i, point in enumerate(graph.nodes.point) if point == "statement"]
    ['return x + x;']

A graph holds the syntax tree (AST), control flow (CFG), data dependence (DDG) and control dependence (CDG)
over the same nodes. `SPEC.md` beside this file defines every construct by example. The package needs
tree-sitter and nothing else; it never imports torch.
"""

from __future__ import annotations

from cpg.errors import (
    CodeTypeError,
    CorpusArgumentError,
    CorpusEngineError,
    CorpusOutputError,
    CorpusSourceError,
    CpgError,
    EdgeKindError,
    GraphFormatError,
    GraphInvariantError,
    MissingPackageError,
    MissingProgramError,
    OutputError,
    UnknownFormatError,
    UnknownLanguageError,
)
from cpg.export import export
from cpg.extraction import extract
from cpg.graph import EDGE_KINDS, SCHEMA, CodePropertyGraph, Edges, Nodes
from cpg.languages import LANGUAGES
from cpg.parse import Diagnostic

__all__ = [
    "EDGE_KINDS",
    "LANGUAGES",
    "SCHEMA",
    "CodePropertyGraph",
    "CodeTypeError",
    "CorpusArgumentError",
    "CorpusEngineError",
    "CorpusOutputError",
    "CorpusSourceError",
    "CpgError",
    "Diagnostic",
    "EdgeKindError",
    "Edges",
    "GraphFormatError",
    "GraphInvariantError",
    "MissingPackageError",
    "MissingProgramError",
    "Nodes",
    "OutputError",
    "UnknownFormatError",
    "UnknownLanguageError",
    "export",
    "extract",
]
