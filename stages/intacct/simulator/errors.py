"""How the gateway says no: an error as its replies carry it, and the exceptions that stop a function or a request."""

from __future__ import annotations

import msgspec

SCHEMA = "XL03000003"  # not well-formed, or not what the schema allows
IDENTITY = "XL03000006"  # sender, login, session, and fields that cannot be queried
ROLLED_BACK = "XL03000009"
NO_OBJECT = "XL03000009"
NO_FIELD = "XL03000010"
BUSINESS = "BL01001973"
DENIED = "PL04000005"


class GatewayError(msgspec.Struct, frozen=True):
    """One ``error`` element. Every part may be empty; the useful text is mostly ``description2``."""

    errorno: str
    description2: str = ""
    description: str = ""
    correction: str = ""


class FunctionRefused(Exception):
    """This function fails; others of its request need not."""

    def __init__(self, errorno: str, text: str, *, description: str = "", correction: str = "") -> None:
        super().__init__(text)
        self.error = GatewayError(errorno, text, description, correction)


class RequestRefused(Exception):
    """The whole request fails in ``control``; nothing was done."""

    def __init__(self, errorno: str, *texts: str) -> None:
        super().__init__("; ".join(texts))
        self.errors = tuple(GatewayError(errorno, text) for text in texts)


def schema_violation(text: str) -> FunctionRefused:
    return FunctionRefused(SCHEMA, text, description="The request does not match the schema")
