"""A bill as an 850 purchase order: what was ordered, (re)confirmed from the bill that came of it. Pure.

We are the buyer (BY), the vendor is the vendor (VN).
"""

from __future__ import annotations

from datetime import date

import msgspec

from pipeline import ConfigError
from stages.ap import bill_rows as rows
from stages.ap import charges
from stages.x12.guide import Guide, Party
from stages.x12.writing.compiler import Place, check_guide, compile_plan
from stages.x12.writing.mapping import Row, SetMapping, computed, path, purpose, segment
from stages.x12.writing.plan import Plan

ROLES = ("order",)

PARTIES = (Party(role="BY", who="us"), Party(role="VN", who="vendor"))
"""Who is named unless the guide says otherwise."""


def order_mapping(guide: Guide) -> SetMapping:
    """The rows of an 850 for one guide, in the order they are sent. It has no type to tell a credit by: the sign stays."""
    guide = msgspec.structs.replace(guide, credit_sign="minus")
    return SetMapping(
        set="850",
        subject="bill",
        label="bill.number",
        checks=(
            rows.check_sums,
            rows.check_units,
            *((charges.check_goods(guide),) if guide.charges or guide.allowance_code else ()),
        ),
        rows=(
            segment(
                "BEG",
                {
                    1: purpose("00"),
                    2: "SA",
                    3: computed("order number", rows.required_order_number, *rows.ORDER_NUMBER_PATHS),
                    5: computed("order date", _order_date, "bill.purchase.date", "bill.date"),
                },
                exact={3: "it tells one order from another"},
            ),
            rows.currency_row(guide),
            *rows.bill_refs(guide),
            *rows.contact_rows(guide),
            *rows.fob_rows(guide),
            *charges.charge_rows(guide),
            rows.terms_row(guide),
            *rows.date_rows(guide),
            *charges.tax_rows(guide),
            *_note(guide),
            *rows.party_rows("850", guide, PARTIES),
            rows.line_rows("PO1", guide),
            charges.count_row(
                guide, segment("AMT", {1: "TT", 2: rows.total(guide)}, exact={2: "it is the order's total"})
            ),
        ),
    )


def _note(guide: Guide) -> tuple[Row, ...]:
    """The description as text of a reference of its own: an 850 has no NTE. Release 005010 made MTX of MSG."""
    if not guide.send_description:
        return ()
    by = "guide.send_description"
    words = path("bill.description")
    text = segment("MTX", {2: words}, by=by) if guide.release >= "005010" else segment("MSG", {1: words}, by=by)
    described = computed("described", bool, "bill.description")
    return (segment("N9", {1: "ZZ", 2: "NOTE"}, when=described, children=(text,), by=by),)


def _order_date(purchase: date | None, bill: date) -> date:
    return purchase or bill


def order_plan(guide: Guide, role: str = "order", place: Place | None = None) -> Plan:
    """The 850 plan for a guide; the only role is ``order``. Compile once, share it.

    Its subject is that of `stages.ap.invoice_810.invoice_plan`. Raises `ConfigError` for another role and for a guide that
    cannot be met.
    """
    if role not in ROLES:
        raise ConfigError(
            f"An 850 cannot play the role {role!r}",
            where="documents",
            why="its only role is order",
            mend="Correct `role` in the partner's file",
            owner="EDI desk",
            code="MLC-X12-0206",
        )
    check_guide(guide, "850")
    return compile_plan("850", order_mapping(guide), guide, place)
