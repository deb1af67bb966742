"""Text from outside, made safe to look at. Pure."""

from __future__ import annotations


def legible(text: str, keep: str = "") -> str:
    r"""The text with everything that is not printable, which a terminal could obey or hide, written out; but not what is in ``keep``.

    >>> print(legible("a\x1b[31mb\u202ec\n"))
    a\x1b[31mb\u202ec\x0a
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else _written_out(one) for one in text)


def _written_out(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
