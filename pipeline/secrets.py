"""`Secret`: a text that never prints itself. Where references like ``${env:NAME}`` are resolved is `pipeline.flow.references`."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Holds a text whose ``repr``, ``str`` and formatting are ``***``. Only `reveal` gives it, at the place of use.

    It cannot be pickled, and no encoder of ours accepts it, so it reaches no log, error, row or report by accident.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        return self.__text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self.__text

    def __hash__(self) -> int:
        return hash(self.__text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")
