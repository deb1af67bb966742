"""How the gateway says no: an error as its replies carry it, and the exceptions that stop a function or a request."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from lxml import etree

SCHEMA = "XL03000003"  # not well-formed, or not what the schema allows
IDENTITY = "XL03000006"  # sender, login, session, and fields that cannot be queried
ROLLED_BACK = "XL03000009"
NO_OBJECT = "XL03000009"
NO_FIELD = "XL03000010"
BUSINESS = "BL01001973"
DENIED = "PL04000005"
DATA = "DL02000001"


class GatewayError(msgspec.Struct, frozen=True):
    """One ``error`` element. Every part may be empty; the useful text is mostly ``description2``."""

    errorno: str
    description2: str = ""
    description: str = ""
    correction: str = ""


class FunctionRefused(Exception):
    """This function fails; others of its request need not."""

    def __init__(
        self,
        errorno: str,
        text: str,
        *,
        description: str = "",
        correction: str = "",
        more: tuple[GatewayError, ...] = (),
    ) -> None:
        super().__init__(text)
        self.error = GatewayError(errorno, text, description, correction)
        self.more = more  # what the layers above add to it
        self.data: etree._Element | None = None  # of what was done all the same
        self.undo: Callable[[], None] | None = None


class RequestRefused(Exception):
    """The whole request fails in ``control``; nothing was done."""

    def __init__(self, errorno: str, *texts: str) -> None:
        super().__init__("; ".join(texts))
        self.errors = tuple(GatewayError(errorno, text) for text in texts)


def schema_violation(text: str) -> FunctionRefused:
    return FunctionRefused(SCHEMA, text, description="The request does not match the schema")
