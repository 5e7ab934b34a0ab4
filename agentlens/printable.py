"""Text from files as a terminal may show it: nothing moves the cursor or turns words round."""

from __future__ import annotations

import unicodedata

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNPRINTED = ("Cc", "Cs", "Zl", "Zp")


def controls(text: str) -> str:
    """The characters of a text that control what shows it: escapes, line ends, bidi marks."""
    return "".join(
        c for c in text if c in _BIDI or (not c.isprintable() and _category(c) in _UNPRINTED)
    )


def escaped(text: str, *, keep: str = "\n\t") -> str:
    """A text with controlling characters written out, such as ``\\x1b``.

    Args:
        text: any.
        keep: characters that stay; "" for names, which are one line.

    Example:
        >>> escaped("pong\\x1b[2K", keep="")
        'pong\\\\x1b[2K'
    """
    unwanted = set(controls(text)) - set(keep)
    if not unwanted:
        return text
    return "".join(c.encode("unicode_escape").decode() if c in unwanted else c for c in text)


def _category(character: str) -> str:
    return unicodedata.category(character)
