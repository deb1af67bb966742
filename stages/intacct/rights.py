"""What `doctor` checks for each source: that the user may read its objects, and that the company has the fields that are asked for.

A table of what each source needs stands at the end. Each object is asked about once, however many stages need it, with one
`lookup` and one page of one record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from pipeline import ConfigError, Context, Destination, Diagnosis, PermissionDenied, StageError, Tell
from stages.intacct.company import IntacctClient
from stages.intacct.config import IntacctConfig
from stages.intacct.masters import AccountsSettings, DimensionsSettings
from stages.intacct.orders import OrdersSettings
from stages.intacct.payments import PaymentsSettings
from stages.intacct.protocol import fields, paging
from stages.intacct.protocol.faults import UnknownField, UnknownObject
from stages.intacct.protocol.fields import Selection, Wish, refused_fields, select
from stages.intacct.protocol.masters import ACCOUNTS, DIMENSIONS
from stages.intacct.protocol.query import Query
from stages.intacct.protocol.responses import Data, Definition
from stages.intacct.query_source import QuerySettings
from stages.intacct.sources import BillsSettings, VendorsSettings

NAMED = 12


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """An object a source reads. ``extra`` are fields the flow file asks for, ``needed`` those that reading rests on.

    ``without`` says what happens when it cannot be read; empty: the source cannot do without.
    """

    wish: Wish
    extra: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    without: str = ""


Diagnose = Callable[[Any, Context, Sequence[Destination], Tell], Awaitable[None]]


def reading(needs: Callable[[Any], Sequence[Need]]) -> Diagnose:
    """The checks of a source that has these needs under its settings."""

    async def diagnose(settings: Any, context: Context, destinations: Sequence[Destination], tell: Tell) -> None:
        seen = context.shared.of(_Seen, _Seen)
        for need in needs(settings):
            tell(await seen.diagnosis(context.connection, need))

    return diagnose


class _Seen:
    """What was found out in this process about each object of each connection."""

    def __init__(self) -> None:
        self._found: list[tuple[IntacctConfig, Need, Diagnosis]] = []

    async def diagnosis(self, client: IntacctClient, need: Need) -> Diagnosis:
        for config, known, diagnosis in self._found:
            if config == client.config and known == need:
                return diagnosis
        diagnosis = await _diagnosis(client, need)
        self._found.append((client.config, need, diagnosis))
        return diagnosis


async def _diagnosis(client: IntacctClient, need: Need) -> Diagnosis:
    name = need.wish.object
    try:
        definition = await _definition(client, name)
        selection, data = await _first_record(client, need, definition)
    except (PermissionDenied, UnknownObject) as error:
        if need.without:
            return Diagnosis.warning(name, error, f"without it {need.without}")
        return Diagnosis.failed(name, error)
    except StageError as error:
        return Diagnosis.failed(name, error)
    return Diagnosis.ok(name, _found(need, definition, selection, data))


async def _definition(client: IntacctClient, name: str) -> Definition | None:
    """What the company says of the object; None when it does not say, which not every user may ask."""
    try:
        return await client.lookup(name)
    except (PermissionDenied, UnknownObject):
        return None  # the query tells whether the object itself may be read
    except ConfigError:
        return None


async def _first_record(client: IntacctClient, need: Need, definition: Definition | None) -> tuple[Selection, Data]:
    """Asks as the source will, for one record; fields that the gateway still refuses and nothing rests on are left out."""
    selection = select(need.wish, definition, need.extra, need.needed)
    while True:
        question = Query(
            object=need.wish.object, fields=selection.fields, order=need.wish.required[:1], page_size=1,
            private=not client.config.location_id,
        )  # fmt: skip
        try:
            return selection, await client.query(question)
        except UnknownField as error:
            refused = refused_fields(selection, error.why)
            if not refused or selection.required.intersection(refused):
                raise
            selection = selection.without(refused)


def _found(need: Need, definition: Definition | None, selection: Selection, data: Data) -> str:
    records = "records" if data.total is None else f"{data.total:,} record{'' if data.total == 1 else 's'}"
    absent = [name for name in need.wish.optional if name not in selection.fields]
    fields_ = f"{len(selection.fields)} fields"
    if absent:
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        fields_ += f"; this company has no {', '.join(absent[:NAMED])}{more}"
    return f"{records}, {fields_}{'' if definition else '; `lookup` is refused, so fields were tried one refusal after the other'}"


# --- what each source needs ----------------------------------------------------------------------------------------------

_REMIT = Need(wish=fields.CONTACT, without="a pay-to contact that is not its vendor's own comes without address")


_CONTACTS = Need(wish=fields.CONTACT_CHANGE, without="an address that is changed without its vendor is not noticed")
_DELETED = Need(wish=fields.AUDIT, without="what is deleted in Intacct is not noticed")


def _vendors(settings: VendorsSettings) -> Sequence[Need]:
    own = Need(wish=fields.VENDOR, extra=tuple(settings.fields), needed=(paging.STAMP,))
    return (own, *((_CONTACTS,) if settings.contacts else ()), *((_DELETED,) if settings.deletions else ()))


_NAMED = Need(wish=fields.REFERENCE, without="lines carry no item number of their vendor's (`vendor_items`)")


def _bills(settings: BillsSettings) -> Sequence[Need]:
    held = "bills made by Purchasing are held (MLC-INTACCT-0301)"
    return (
        Need(wish=fields.BILL, extra=tuple(settings.fields), needed=(paging.STAMP, "MODULEKEY")),
        Need(wish=fields.LINE, extra=tuple(settings.line_fields)),
        Need(wish=fields.VENDOR),
        Need(wish=fields.PURCHASE, without=held),
        Need(wish=fields.PURCHASE_LINE, without=held),
        *((_NAMED,) if settings.vendor_items else ()),
        _REMIT,
        *((_DELETED,) if settings.deletions else ()),
    )


def _payments(settings: PaymentsSettings) -> Sequence[Need]:
    return (
        Need(wish=fields.PAYMENT, extra=tuple(settings.fields), needed=(paging.STAMP,)),
        Need(wish=fields.PAYMENT_DETAIL),
        Need(wish=fields.PAID_BILL),
        Need(wish=fields.ADJUSTMENT, without="payments that use credits are dead"),
        *((_DELETED,) if settings.deletions else ()),
    )


def _orders(settings: OrdersSettings) -> Sequence[Need]:
    return (
        Need(wish=fields.ORDER, extra=tuple(settings.fields), needed=(paging.STAMP,)),
        Need(wish=fields.PURCHASE_LINE, extra=tuple(settings.line_fields)),
        *((_NAMED,) if settings.vendor_items else ()),
    )


def _accounts(settings: AccountsSettings) -> Sequence[Need]:
    return (Need(wish=ACCOUNTS.wish, extra=tuple(settings.fields), needed=(paging.STAMP,)),)


def _dimensions(settings: DimensionsSettings) -> Sequence[Need]:
    without = "its values are not read" if settings.objects is None else ""
    return [Need(wish=DIMENSIONS[name].wish, needed=(paging.STAMP,), without=without) for name in settings.names]


def _query(settings: QuerySettings) -> Sequence[Need]:
    label = (settings.label,) if settings.label else ()
    wish = Wish(settings.object.upper(), ("RECORDNO",), (), {})
    return (Need(wish=wish, extra=(settings.key, *settings.fields, *label), needed=(paging.STAMP,)),)


vendors, bills, payments = reading(_vendors), reading(_bills), reading(_payments)
orders, accounts, dimensions, query = reading(_orders), reading(_accounts), reading(_dimensions), reading(_query)
