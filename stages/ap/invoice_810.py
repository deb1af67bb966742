"""A bill as an 810 invoice: the mapping table, and the plan for one partner's guide. Pure.

We, the buyer, send it; who is what stays true to business: BY is us, SE the supplier, RE where payment goes.
"""

from __future__ import annotations

from decimal import Decimal

from pipeline import ConfigError
from stages.ap import bill_rows as rows
from stages.ap import charges
from stages.x12.guide import Guide, Party
from stages.x12.writing.compiler import Place, check_guide, compile_plan
from stages.x12.writing.mapping import Row, SetMapping, Source, computed, path, purpose, segment
from stages.x12.writing.plan import Plan

ROLES = ("self_bill", "bill_copy", "debit_memo")

PARTIES = (Party(role="BY", who="us"), Party(role="SE", who="vendor"), Party(role="RE", who="remit_to"))
"""Who is named unless the guide says otherwise."""


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
                    7: _type(role, guide),
                    8: purpose("07" if role == "bill_copy" else ""),
                },
                exact=_exact(role, guide),
            ),
            *_note(guide),
            rows.currency_row(guide),
            *rows.bill_refs(guide),
            *rows.contact_rows(guide),
            *rows.party_rows("810", guide, PARTIES),
            rows.terms_row(guide),
            *rows.date_rows(guide),
            *rows.fob_rows(guide),
            rows.line_rows("IT1", guide),
            segment("TDS", {1: rows.total(guide), **_discounts(guide)}, exact={1: "it is the bill's total"}),
            *charges.tax_rows(guide),
            *charges.charge_rows(guide),
            charges.count_row(guide),
        ),
    )


def _exact(role: str, guide: Guide) -> dict[int, str]:
    """What of BIG tells one invoice from another, a credit from a debit, and a copy from an original."""
    exact = {2: "it tells one invoice from another"}
    if guide.credit_sign == "type":
        exact[7] = "`credit_sign: type` tells credits by it"
    return exact | ({8: "it tells a copy from an original"} if role == "bill_copy" else {})


def _note(guide: Guide) -> tuple[Row, ...]:
    if not guide.send_description:
        return ()
    return (segment("NTE", {1: "GEN", 2: path("bill.description")}, by="guide.send_description"),)


def _discounts(guide: Guide) -> dict[int, Source]:
    return charges.discounted_totals(guide) if guide.discount_amounts else {}


def _type(role: str, guide: Guide) -> Source:
    """BIG07: debit invoice or debit memo; credit memo when the total is negative and the guide lets the type tell the sign.

    Never both: a reader who turns the sign of a CR would turn negative amounts back into a debit.
    """
    debit = "DR" if role == "debit_memo" else "DI"
    if guide.credit_sign == "minus":
        return debit

    def type_of(total: Decimal) -> str:
        return "CR" if total < 0 else debit

    return computed(f"type of {role}", type_of, "bill.total")


def invoice_plan(guide: Guide, role: str, place: Place | None = None) -> Plan:
    """The 810 plan for a guide and a role (self_bill, bill_copy, debit_memo). Compile once, share it.

    Its subject is ``{"bill": Bill, "us": {"name", "id"}, "partner": {"code", "name"}}``. Raises `ConfigError` for a role an
    810 cannot play and for a guide that cannot be met. ``place`` is that of `stages.x12.writing.compiler.compile_plan`.
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
    check_guide(guide, "810")
    return compile_plan("810", invoice_mapping(guide, role), guide, place)
