"""`Duration`: a length of time as people write it in flow and partner files. Only that."""

from __future__ import annotations

import re

_FORM = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Duration(float):
    """Seconds, written ``500ms``, ``1s``, ``5m``, ``24h`` or ``2d``. It is a float in every other way."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ValueError when the text is not a number followed by one of the five units.

        >>> float(Duration.parse("5m"))
        300.0
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a duration; write a number and a unit: 500ms, 30s, 5m, 24h, 2d")
        number, unit = match.groups()
        return cls(float(number) * _SECONDS[unit])
