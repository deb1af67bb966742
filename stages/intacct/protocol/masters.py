"""Accounts and dimensions: which objects there are, what identifies their records, and how their rows become typed values. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from stages.ap.model import Account, Dimension
from stages.intacct.protocol import fields
from stages.intacct.protocol.fields import Wish
from stages.intacct.protocol.objects import must
from stages.intacct.protocol.responses import Source


class Master(msgspec.Struct, frozen=True):
    """One such object. ``id`` is the field that people know its records by; ``kind`` is theirs in expressions."""

    wish: Wish
    id: str
    kind: str
    build: Callable[[Source], Account | Dimension]


def account(source: Source) -> Account:
    """Raises `DataError` when it has no number."""
    return Account(
        number=must(source, "ACCOUNTNO"),
        title=source["TITLE"] or "",
        type=source["ACCOUNTTYPE"] or "",
        normal_balance=source["NORMALBALANCE"] or "",
        status=source["STATUS"] or "active",
        source=source,
    )


def _dimension(wish: Wish, id: str, name: str) -> Master:
    def build(source: Source) -> Dimension:
        return Dimension(
            object=wish.object,
            id=must(source, id),
            name=source[name] or "",
            parent=source.get("PARENTID") or "",
            status=source["STATUS"] or "active",
            source=source,
        )

    return Master(wish, id, "dimension", build)


ACCOUNTS = Master(fields.ACCOUNT, "ACCOUNTNO", "account", account)
DIMENSIONS: dict[str, Master] = {
    "DEPARTMENT": _dimension(fields.DEPARTMENT, "DEPARTMENTID", "TITLE"),
    "LOCATION": _dimension(fields.LOCATION, "LOCATIONID", "NAME"),
    "CLASS": _dimension(fields.CLASS, "CLASSID", "NAME"),
    "PROJECT": _dimension(fields.PROJECT, "PROJECTID", "NAME"),
    "ITEM": _dimension(fields.ITEM, "ITEMID", "NAME"),
}
