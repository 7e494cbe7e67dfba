"""Colours and fonts of pictures and the viewer. Blue and orange stay apart for readers who see few colours."""

from __future__ import annotations

FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"

NAMES = {"AST": "syntax", "CFG": "control flow", "DDG": "data dependence", "CDG": "control dependence"}

LIGHT = {
    "ground": "#ffffff",
    "frame": "#fafbfc",
    "frame-line": "#e3e6eb",
    "ink": "#1d2430",
    "muted": "#737c8c",
    "end-ink": "#ffffff",
    "statement": "#ffffff",
    "statement-line": "#b9c0cc",
    "condition": "#fff4e3",
    "condition-line": "#e0a458",
    "parameter": "#eef4ff",
    "parameter-line": "#9dbcf5",
    "entry": "#3b4556",
    "entry-line": "#3b4556",
    "exit": "#3b4556",
    "exit-line": "#3b4556",
    "syntax": "#f4f5f7",
    "syntax-line": "#dde1e7",
    "AST": "#aab2bf",
    "CFG": "#48546a",
    "DDG": "#2563eb",
    "CDG": "#c05a06",
}
DARK = {
    "ground": "#12151b",
    "frame": "#171b22",
    "frame-line": "#2a303b",
    "ink": "#e5e9f0",
    "muted": "#8b95a7",
    "end-ink": "#12151b",
    "statement": "#1f252f",
    "statement-line": "#465063",
    "condition": "#33281a",
    "condition-line": "#a8732c",
    "parameter": "#1b2740",
    "parameter-line": "#41639f",
    "entry": "#c3cbd9",
    "entry-line": "#c3cbd9",
    "exit": "#c3cbd9",
    "exit-line": "#c3cbd9",
    "syntax": "#1a1f27",
    "syntax-line": "#303846",
    "AST": "#5a6476",
    "CFG": "#b6c0d0",
    "DDG": "#74a5ff",
    "CDG": "#f2a355",
}

CODE_LIGHT = {
    "hover": "#eceff3",
    "mark": "#fff0b8",
    "mark-soft": "#fff9e4",
    "mark-line": "#e0a800",
    "keyword": "#8431b8",
    "type": "#0f7276",
    "literal": "#2a7d3b",
    "call": "#2256b5",
}
CODE_DARK = {
    "hover": "#252b36",
    "mark": "#51430f",
    "mark-soft": "#2a2617",
    "mark-line": "#e3b625",
    "keyword": "#cf9bf2",
    "type": "#63c9c9",
    "literal": "#8fd19b",
    "call": "#8db6ff",
}


def css_variables(light: dict[str, str] | None = None, dark: dict[str, str] | None = None) -> str:
    """The colours of a page as CSS variables: by the system's theme, unless `data-theme` of the root element chose one.

    Args:
        light, dark: further colours of the page's own, by name.
    """
    day, night = _declared({**LIGHT, **CODE_LIGHT, **(light or {})}), _declared({**DARK, **CODE_DARK, **(dark or {})})
    return (
        f":root{{color-scheme:light dark;--font:{FONT};{day}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{night}}}}}"
        f":root[data-theme=light]{{color-scheme:light;{day}}}:root[data-theme=dark]{{color-scheme:dark;{night}}}\n"
    )


def variable(name: str) -> str:
    """The CSS variable of a colour. AST and CFG name classes too, whose variable --kind refers to these."""
    return f"--{name}-line" if name in ("AST", "CFG") else f"--{name}"


def _declared(theme: dict[str, str]) -> str:
    return "".join(f"{variable(name)}:{value};" for name, value in theme.items())
