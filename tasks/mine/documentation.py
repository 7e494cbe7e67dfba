"""Documentation comments of Java and C# to plain text: Javadoc and the XML comments of C#."""

from __future__ import annotations

import html
import re

_JAVADOC_MARKS = re.compile(r"^[ \t]*\*+ ?", re.MULTILINE)
_BLOCK_TAG = re.compile(r"(?:^|\n)\s*@\w+")
_INLINE = re.compile(r"\{@(\w+)\s*([^{}]*)\}")
_PARAGRAPH = re.compile(r"<\s*/?\s*(?:p|pre|ul|ol|dl|table|h\d|div|blockquote|hr|para|br\s*/?\s*>\s*<br)\b[^>]*>",
                        re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_REFERENCE = re.compile(r"<(?:see|seealso|paramref|typeparamref)\s+(?:cref|langword|name|href)\s*=\s*[\"']([^\"']*)[\"']"
                        r"\s*(?:/>|>([^<]*)</\w+>)")
_SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.DOTALL | re.IGNORECASE)
_INHERITED = re.compile(r"\{@inheritDoc\}|<inheritdoc\b", re.IGNORECASE)


def javadoc_text(comment: str) -> str:
    """The description of a Javadoc comment without markup, paragraphs apart by a blank line; what it inherits is none."""
    text = comment.strip().removeprefix("/**").removesuffix("*/")
    text = _JAVADOC_MARKS.sub("", text)
    text = _BLOCK_TAG.split(text, maxsplit=1)[0]
    for _ in range(4):  # tags within tags
        shorter = _INLINE.sub(_inline, text)
        if shorter == text:
            break
        text = shorter
    return _plain(text)


def xml_text(comment: str) -> str:
    """The summary of an XML comment of C# without markup, paragraphs apart by a blank line."""
    lines = [line.strip().removeprefix("///").removeprefix("/**").removesuffix("*/") for line in comment.split("\n")]
    text = "\n".join(line.strip().removeprefix("* ") for line in lines)
    match = _SUMMARY.search(text)
    if match is None:
        return ""
    return _plain(_REFERENCE.sub(lambda found: found.group(2) or _cref(found.group(1)), match.group(1)))


def is_inherited(comment: str) -> bool:
    """Whether a comment says that the documentation is that of what is overridden."""
    return bool(_INHERITED.search(comment))


def _inline(match: re.Match[str]) -> str:
    tag, text = match.group(1), match.group(2).strip()
    if tag in ("inheritDoc", "index", "docRoot"):
        return ""
    if tag in ("link", "linkplain", "see", "value"):
        target = re.match(r"[^\s(]+(?:\([^)]*\))?", text)
        label = text[target.end():].strip() if target else ""
        return label or text.removeprefix("#").replace("#", ".")
    return text


def _cref(target: str) -> str:
    """The name that a reference shows: `Foo.Bar` of `M:Space.Foo.Bar(System.Int32)` and `Foo` of `T:Space.Foo`."""
    kind, _, name = target.rpartition(":")
    name = re.sub(r"`+\d+", "", name.partition("(")[0]).replace("{", "&lt;").replace("}", "&gt;")
    parts = name.split(".")
    return ".".join(parts[-2:] if kind in ("M", "P", "F", "E") else parts[-1:])


def _plain(text: str) -> str:
    text = _PARAGRAPH.sub("\n\n", text)
    text = html.unescape(_TAG.sub("", text)).replace("\xa0", " ")
    return re.sub(r"\n[ \t]*\n\s*", "\n\n", text).strip()
