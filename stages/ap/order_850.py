"""A bill as an 850 purchase order: what was ordered, (re)confirmed from the bill that came of it. Pure.

We are the buyer (BY), the vendor is the vendor (VN).
"""

from __future__ import annotations

from datetime import date

from pipeline import ConfigError
from stages.ap import bill_rows as rows
from stages.x12.guide import Guide
from stages.x12.mapping import SetMapping, computed, each, path, purpose, segment
from stages.x12.plan import Plan, compile_plan

ROLES = ("order",)


def order_mapping(guide: Guide) -> SetMapping:
    """The rows of an 850 for one guide, in the order they are sent."""
    return SetMapping(
        set="850",
        subject="bill",
        label="bill.number",
        checks=(rows.check_sums, rows.check_units),
        rows=(
            segment(
                "BEG",
                {
                    1: purpose("00"),
                    2: "SA",
                    3: computed("order number", rows.required_order_number, *rows.ORDER_NUMBER_PATHS),
                    5: computed("order date", _order_date, "bill.purchase.date", "bill.date"),
                },
            ),
            segment("CUR", {1: "BY", 2: path("bill.currency")}),
            segment("REF", {1: "IA", 2: path("bill.vendor")}),
            segment("REF", {1: "VV", 2: path("bill.record", volatile=True)}),
            rows.terms_row(guide),
            rows.us_row(guide),
            rows.supplier_row("VN", guide),
            each("line", "bill.lines", rows.line_row("PO1", guide)),
            segment("CTT", {1: rows.line_count()}, children=(segment("AMT", {1: "TT", 2: rows.total(guide)}),)),
        ),
    )


def _order_date(purchase: date | None, bill: date) -> date:
    return purchase or bill


def order_plan(guide: Guide, role: str = "order") -> Plan:
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
    return compile_plan("850", order_mapping(guide), guide)
