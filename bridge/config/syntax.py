"""Advice for a file that is not TOML: the fault in plain words, and the fix.

tomllib names the place at which it stopped, in a parser's words. The line itself mostly shows what its writer
intended.
"""

from __future__ import annotations

import re
import tomllib
from ast import literal_eval

from bridge.config.places import check_bus_name, plain_bus_name
from bridge.config.toml_lines import toml_lines

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_UNQUOTED = re.compile(r"""([\w."'-]+)\s*=\s*([^\s"'\[{][^\[{]*)""")
_UNQUOTABLE_KEY = re.compile(r"""\s*([\w.-]*[^\x00-\x7f][\w.-]*)\s*=""")  # größe = 1
_WORD = re.compile(r"=\s*(true|false|yes|no|on|off)\b", re.IGNORECASE)
_COLON = re.compile(r"""\s*[\w"'-]+\s*:""")
_INVISIBLE = re.compile("[\u00a0\u2000-\u200f\u2028\u2029\u202f\ufeff]")
_TYPOGRAPHIC = re.compile("[“”„‘’«»]")
_DECIMAL_COMMA = re.compile(r"([A-Za-z0-9_-]+)\s*=\s*([+-]?\d+),(\d+)\s*(?:[,}\]]|$)")
_LONGEST_LINE = 300  # characters of a line that are examined
_BUS_HEADER = re.compile(
    r"^([ \t]*\[\[?[ \t]*bus[ \t]*\.[ \t]*)([^\]\"'.#\r\n]*[^\]\"'.#\s])([ \t]*[.\]])", re.MULTILINE
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)")


def advice(error: Exception, text: str, *, secret: bool) -> tuple[int, str]:
    """Return the line, counted from 1, and a sentence with the fix.

    Args:
        error: the exception that tomllib raised for `text`.
        secret: nothing from the file may be shown.
    """
    if isinstance(error, RecursionError):
        return 1, "lists or tables are nested too deep"
    fault = _PLACE.sub("", str(error))
    place = _PLACE.search(str(error))
    lines = text.replace("\r\n", "\n").split("\n")
    number = int(place[1]) if place and place[1] else _unfinished(lines)
    return number, _sentence(fault, lines, number, secret=secret)


def plain_bus_headers(text: str) -> tuple[str, list[tuple[int, str]]]:
    """Return a text with bus names that TOML does not take without quotes replaced by plain ones.

    Then the rest of the file can be checked in the same go.

    Returns:
        The text, line for line, and for each name the first line it is on with a sentence that has the fix.
    """
    mistakes: dict[str, tuple[int, str]] = {}

    def replace(header: re.Match[str]) -> str:
        name = header[2]
        if _BARE_KEY.fullmatch(name):
            return header[0]
        try:
            check_bus_name(name)
        except ValueError as error:
            mistakes.setdefault(name, (text.count("\n", 0, header.start()) + 1, f"bus.{name}: {error}"))
        return f"{header[1]}{plain_bus_name(name)}{header[3]}"

    return _BUS_HEADER.sub(replace, text), list(mistakes.values())


def _unfinished(lines: list[str]) -> int:
    """Return the line that begins what is still open at the end of the file; the lines before are right."""
    valid, invalid = 0, len(lines)
    while invalid - valid > 1:
        middle = (valid + invalid) // 2
        try:
            tomllib.loads("\n".join(lines[:middle]))
            valid = middle
        except (ValueError, RecursionError):
            invalid = middle
    return invalid


def _sentence(fault: str, lines: list[str], number: int, *, secret: bool) -> str:
    code = lines[number - 1][:_LONGEST_LINE].partition("#")[0] if number <= len(lines) else ""
    if comma := _DECIMAL_COMMA.search(re.sub(r'"[^"]*"', '""', code)):
        example = "" if secret else f": {comma[1]} = {comma[2]}.{comma[3]}"
        return f"write numbers with a point, not a comma{example}"
    if "twice" in fault:
        return _twice(fault, lines, number, secret=secret)
    if "overwrite" in fault or "Duplicate" in fault or "immutable" in fault:
        key = re.search("key '(.*)'", fault) or _KEY.match(code)
        subject = f'"{key[1]}"' if key and not secret else "this key or table"
        return (
            f"{subject} is there already, further up; leave one out, or give each sensor its block in [[ ]]"
        )
    if _TYPOGRAPHIC.search(code):
        return 'there are typographic quotes, write straight ones: "…"'
    if _INVISIBLE.search(code):
        return "there is an invisible character, perhaps copied from a web page; retype the line"
    if "Unescaped" in fault or "hex value" in fault or "Escaped character" in fault:
        return r'a backslash inside "…" must be doubled: \\ (or put the text in single quotes)'
    if fault in ("Illegal character '\\n'", "Unterminated string", 'Expected "\'"', "Expected \"'''\""):
        return "a text is not closed; it ends with the quote it begins with, on the same line"
    if "Illegal character" in fault or "invalid character" in fault:
        return "there is a control character in the text; retype the line"
    if "at the end of" in fault and code.count("[") != code.count("]"):
        return "the brackets around a table's name do not match, write [name] or [[name]]"
    if "Unclosed" in fault:
        return (
            f"a {'{' if 'inline' in fault else '['} is not closed, or a comma is missing between two entries"
        )
    if "=" not in code and _COLON.match(code):
        return "a key and its value are joined by =, not by a colon"
    if word := _WORD.search(code):
        boolean = "true" if word[1].lower() in ("true", "yes", "on") else "false"
        return f"true and false are written in small letters: {boolean}"
    if (key := _UNQUOTABLE_KEY.match(code)) and not secret:
        return f"the key {key[1]} needs quotes: without them a key has only a–z, 0–9, _ and -"
    if unquoted := _UNQUOTED.fullmatch(code.strip()):
        return _bare_value(unquoted[1], unquoted[2], secret=secret)
    if "initial character" in fault or "at the end of" in fault:
        return "a name is missing, or needs quotes: names of a–z, 0–9, _ and - need none"
    if "'='" in fault:
        return 'this is not "key = value"; a key of other than a–z, 0–9, _ and - needs quotes'
    if "newline" in fault:
        return "something follows the value that is not a comment; one line holds one key = value"
    return "a value is missing or is not TOML; texts stand in quotes, lists in [ ], tables in { }"


def _twice(fault: str, lines: list[str], number: int, *, secret: bool) -> str:
    """Return the sentence for a table `[a.b]` that is there already; `fault` holds its path as a tuple."""
    path = literal_eval(fault[fault.index("(") : fault.rindex(")") + 1])
    first = toml_lines("\n".join(lines[: number - 1])).get(path)
    where = f"on line {first}" if first else "further up"
    table = "this table" if secret else f"the table {'.'.join(path)}"
    return f"{table} is there already, {where}; put the keys together, or give each sensor its block in [[ ]]"


def _bare_value(key: str, value: str, *, secret: bool) -> str:
    """Return the sentence for a value without quotes that is no number, date or boolean."""
    if re.fullmatch(r"[+-]?0\d+", value):
        fix = "write it in quotes" if secret else f'write it in quotes, {key} = "{value}"'
        return f"a number does not begin with 0: {fix}, or leave the 0 out"
    if secret or value[-1] in "\"'":
        return "a text needs quotes at both ends"
    return f'a text needs quotes: {key} = "{value}"'
