"""The languages by name. One line here and one file beside this one make a language."""

from __future__ import annotations

from cpg.errors import UnknownLanguageError, unknown_name
from cpg.languages.base import Language
from cpg.languages.c import C
from cpg.languages.cpp import CPP
from cpg.languages.csharp import CSHARP
from cpg.languages.go import GO
from cpg.languages.java import JAVA
from cpg.languages.javascript import JAVASCRIPT
from cpg.languages.python import PYTHON
from cpg.languages.typescript import TYPESCRIPT

_ALL = (JAVA, CSHARP, PYTHON, JAVASCRIPT, TYPESCRIPT, GO, C, CPP)
LANGUAGES: dict[str, Language] = {language.name: language for language in _ALL}


def get_language(name: str) -> Language:
    """The tables of a language.

    Raises:
        UnknownLanguageError: there are none under that name.
    """
    language = LANGUAGES.get(name) if isinstance(name, str) else None
    if language is None:
        raise UnknownLanguageError(unknown_name("language", name, LANGUAGES))
    return language
