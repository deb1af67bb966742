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
DUPLICATE = "BL34000061"
REQUIRED = "BL03000018"
WRONG_STATE = "BL03002129"


class GatewayError(msgspec.Struct, frozen=True):
    """One ``error`` element. Every part may be empty; the useful text is mostly ``description2``.

    ``object`` is whose record it is about, "" when it is about none.
    """

    errorno: str
    description2: str = ""
    description: str = ""
    correction: str = ""
    object: str = ""


class Cause(msgspec.Struct, frozen=True):
    """What an error says of itself when ``showadditionalerrorinfo`` asks for it."""

    id: str = ""
    category: str = ""
    message: str = ""


_MODULES = {"GLACCOUNT": "GL", "CONTACT": "CO", "DEPARTMENT": "CO", "LOCATION": "CO", "CLASS": "CO"} | dict.fromkeys(
    ("ITEM", "ITEMCROSSREF"), "INV"
)
_CAUSES = {
    SCHEMA: ("XL", "0003", "Invalid request", "IA.THE_REQUEST_DOES_NOT_MATCH_THE_SCHEMA"),
    IDENTITY: ("XL", "0006", "Invalid permission", "IA.THE_REQUEST_WAS_REFUSED"),
    ROLLED_BACK: ("XL", "0009", "Transaction rolled back", "IA.THE_TRANSACTION_WAS_ROLLED_BACK"),
    NO_FIELD: ("XL", "0010", "Invalid field", "IA.THE_FIELD_DOES_NOT_EXIST"),
    DENIED: ("CO", "0005", "Invalid permission", "IA.YOU_DO_NOT_HAVE_PERMISSION"),
    DATA: ("", "0001", "Record not found", "IA.THE_RECORD_WAS_NOT_FOUND"),
    BUSINESS: ("", "0504", "Unable to create record.", "IA.COULD_NOT_CREATE_RECORD"),
    DUPLICATE: ("", "0493", "Duplication Prevention", "IA.THE_RECORD_ALREADY_EXISTS"),
    REQUIRED: ("", "0118", "Required field", "IA.A_REQUIRED_FIELD_IS_MISSING"),
    WRONG_STATE: ("", "0229", "Invalid state", "IA.THE_ACTION_IS_NOT_VALID_FOR_THE_STATE"),
}
"""By errorno the module ("" = that of the object), the number in it, and the words. Published are the form of an id and those of two
errors of an account (GL-0493, GL-0504); the other numbers are ours."""


def cause(error: GatewayError) -> Cause:
    """The cause of an error; an empty one where nothing is known."""
    module, number, category, message = _CAUSES.get(error.errorno, ("", "", "", ""))
    if not number:
        return Cause()
    module = module or _MODULES.get(error.object, "PO" if error.object.startswith("PO") else "AP")
    return Cause(f"{module}-{number}", category, message)


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
        self.data: etree._Element | None = None  # of what was done all the same ...
        self.writes = 0  # ... and how many records that were
        self.undo: Callable[[], None] | None = None


class RequestRefused(Exception):
    """The whole request fails in ``control``; nothing was done."""

    def __init__(self, errorno: str, *texts: str) -> None:
        super().__init__("; ".join(texts))
        self.errors = tuple(GatewayError(errorno, text) for text in texts)


def schema_violation(text: str) -> FunctionRefused:
    return FunctionRefused(SCHEMA, text, description="The request does not match the schema")


def missing(what: str, name: str) -> FunctionRefused:
    return FunctionRefused(REQUIRED, f"Required field {name} is missing", more=(_could_not(what),))


def duplicate(what: str, key: str) -> FunctionRefused:
    text = f"Another {what.title()} with the given value(s) {key}  already exists"
    return FunctionRefused(DUPLICATE, text, correction="Use a unique value instead.", more=(_could_not(what),))


def unknown(what: str, key: object) -> FunctionRefused:
    """A record that is named, and not there."""
    return FunctionRefused(BUSINESS, f"Invalid {what} '{key}' specified.")


def wrong_state(text: str) -> FunctionRefused:
    return FunctionRefused(WRONG_STATE, text)


def _could_not(what: str) -> GatewayError:
    return GatewayError(BUSINESS, f"Could not create {what} record!")
