"""The sentences that a module may say: its texts of several words, with `{}` where a value is put in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_COMMAND = re.compile(r"(sudo|serial-bridge|vcgencmd|PRAGMA|SELECT|INSERT|UPDATE|DELETE) ")
_WORDS = re.compile(r"[A-Za-z]{2}.*? \S*[A-Za-z]{2}|[a-z]{3,} | [a-z]{3,}")
_SILENT = ("re.", "log.", "_log.", "partial")  # calls whose arguments nobody is shown


def sentences(path: Path) -> Iterator[str]:
    """Yield the texts of a module that read as a sentence or a part of one; no docstring or command."""
    tree = ast.parse(path.read_text("utf-8"))
    hidden: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            hidden.add(id(node.value))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(_SILENT):
            hidden |= {id(each) for each in ast.walk(node)}
        if isinstance(node, ast.JoinedStr):
            hidden |= {id(part) for part in node.values}
            hidden |= {
                id(spec)
                for part in node.values
                if isinstance(part, ast.FormattedValue) and part.format_spec is not None
                for spec in ast.walk(part.format_spec)
            }
        if isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation is not None:
            hidden |= {id(each) for each in ast.walk(node.annotation)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        text = _text(node)
        if _WORDS.search(text) and " " in text and not _COMMAND.match(text.strip()):
            yield text.strip(" ") if text.startswith("  ") else text


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""
