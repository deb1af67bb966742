"""A bill as an 810 invoice: the mapping table, and the plan for one partner's guide. Pure.

We, the buyer, send it; who is what stays true to business: BY is us, SE the supplier, RE where payment goes.
"""

from __future__ import annotations

from decimal import Decimal

from pipeline import ConfigError
from stages.ap import bill_rows as rows
from stages.x12.guide import Guide
from stages.x12.mapping import SetMapping, Source, computed, each, path, purpose, segment
from stages.x12.plan import Plan, compile_plan

ROLES = ("self_bill", "bill_copy", "debit_memo")


def invoice_mapping(guide: Guide, role: str) -> SetMapping:
    """The rows of an 810 for one role and guide, in the order they are sent."""
    return SetMapping(
        set="810",
        subject="bill",
        label="bill.number",
        checks=(rows.check_sums, rows.check_units),
        rows=(
            segment(
                "BIG",
                {
                    1: path("bill.date"),
                    2: path("bill.number"),
                    4: computed("order number", rows.order_number, *rows.ORDER_NUMBER_PATHS),
                    7: _type(role),
                    8: purpose("07" if role == "bill_copy" else ""),
                },
            ),
            segment("CUR", {1: "BY", 2: path("bill.currency")}),
            segment("REF", {1: "IA", 2: path("bill.vendor")}),
            # Purchasing gives a bill a new record number with every edit: that alone is no reason to send it again.
            segment("REF", {1: "VV", 2: path("bill.record", volatile=True)}),
            rows.us_row(guide),
            rows.supplier_row("SE", guide),
            rows.remit_to_row(),
            rows.terms_row(guide),
            each("line", "bill.lines", rows.line_row("IT1", guide)),
            segment("TDS", {1: rows.total(guide)}),
            segment("CTT", {1: rows.line_count()}),
        ),
    )


def _type(role: str) -> Source:
    """BIG07: debit invoice or debit memo, and credit memo when the total is negative."""
    debit = "DR" if role == "debit_memo" else "DI"

    def type_of(total: Decimal) -> str:
        return "CR" if total < 0 else debit

    return computed(f"type of {role}", type_of, "bill.total")


def invoice_plan(guide: Guide, role: str) -> Plan:
    """The 810 plan for a guide and a role (self_bill, bill_copy, debit_memo). Compile once, share it.

    Its subject is ``{"bill": Bill, "us": {"name", "id"}, "partner": {"code", "name"}}``. Raises `ConfigError` for a role an
    810 cannot play and for a guide that cannot be met.
    """
    if role not in ROLES:
        raise ConfigError(
            f"An 810 cannot play the role {role!r}",
            where="documents",
            why=f"its roles are {', '.join(ROLES)}",
            mend="Correct `role` in the partner's file",
            owner="EDI desk",
            code="MLC-X12-0206",
        )
    return compile_plan("810", invoice_mapping(guide, role), guide)
