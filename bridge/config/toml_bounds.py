"""Bounds on the size and depth of a TOML file, checked before it is parsed.

The time that tomllib takes for a dotted key grows with the square of its parts, and so do the memory and the
time of whatever walks over the tables; nested lists take one frame of the stack for each level. No file that
somebody writes comes near these bounds. Strings and comments are passed over: dots in them do not
count. The parser decides whether the text is TOML, not this module.
"""

from __future__ import annotations

import re

MOST_BYTES = 2_000_000
"""Bytes of a file; a site of 247 sensors, each with a hundred registers of its own, has fewer."""
MOST_PARTS = 16
"""Parts of a dotted key; the deepest key of a site has eight."""
MOST_LEVELS = 16
"""Nested lists and tables in one value."""

_TOKEN = re.compile(
    r'''
      (?P<string> """ (?: \\. | [^\\] )*? """ | \'\'\' .*? \'\'\'
                | " (?! "" ) (?: \\. | [^"\\\n] )* " | ' (?! '' ) [^'\n]* ' )
    | (?P<unclosed> ["'] )
    | (?P<comment> \# [^\n]* )
    | (?P<word> [A-Za-z0-9_+-]+ | [ \t]+ )
    | (?P<dot> \. ) | (?P<opens> [\[{] ) | (?P<closes> [\]}] ) | (?P<other> . )
    ''',
    re.VERBOSE | re.DOTALL,
)


def out_of_bounds(text: str) -> tuple[int, str] | None:
    """Return the line of what exceeds a bound, and a sentence that says so; None if nothing does."""
    parts = levels = 0
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "dot":
                parts += 1
            case "opens":
                levels += 1
            case "closes":
                levels = max(0, levels - 1)
            case "other" | "comment":
                parts = 0
            case "unclosed":
                return None  # the parser stops here too
        if parts >= MOST_PARTS:
            return _line(text, token), f"a key has more than {MOST_PARTS} parts with dots between them"
        if levels > MOST_LEVELS:
            return _line(text, token), f"lists or tables are nested more than {MOST_LEVELS} levels deep"
    return None


def _line(text: str, token: re.Match[str]) -> int:
    return text.count("\n", 0, token.start()) + 1
