"""An AP payment as an 820 remittance advice: what was paid, and bill by bill what for. Pure.

It advises: the money goes through the bank, so no account is named. We are the payer (PR), the vendor is the payee (PE).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from pipeline import ConfigError, DataError
from stages.ap import bill_rows as rows
from stages.ap.model import Payment, PaymentDetail
from stages.x12.guide import Guide, Party
from stages.x12.writing.compiler import Place, check_guide, compile_plan
from stages.x12.writing.mapping import Each, Row, SetMapping, Source, computed, each, lookup, path, segment
from stages.x12.writing.plan import Plan

ROLES = ("remittance",)

PARTIES = (Party(role="PR", who="us"), Party(role="PE", who="vendor"))
"""Who is named unless the guide says otherwise."""

_ACH = "ACH"
_CREDIT_MEMO = "CM"  # a reason of element 426 and a kind of reference of element 128


def remittance_mapping(guide: Guide) -> SetMapping:
    """The rows of an 820 for one guide, in the order they are sent."""
    return SetMapping(
        set="820",
        subject="payment",
        label="payment.number",
        checks=(check_sums,),
        rows=(
            segment(
                "BPR",
                {
                    1: "I",
                    2: path("payment.total"),
                    3: "C",
                    4: lookup("payment method", "payment.method", guide.payment_methods, table_name="payment_methods"),
                    5: _format(guide),
                    16: path("payment.date"),
                },
                exact={2: "it is what was paid"},
            ),
            segment("TRN", {1: "1", 2: path("payment.number")}, exact={2: "it tells one payment from another"}),
            rows.currency_row(guide, "payment.currency", "PR"),
            *rows.refs(guide, "payment_refs", _fields()),
            *rows.party_rows("820", guide, PARTIES, "payment"),
            segment("ENT", {1: "1"}),
            *_credits(guide),
            each("detail", "payment.details", _detail(guide)),
        ),
    )


def _fields() -> dict[str, Source]:
    fields: dict[str, Source] = {name: path(f"payment.{name}") for name in ("number", "vendor", "entity", "memo")}
    fields["record"] = path("payment.record", volatile=True)
    return fields


def _format(guide: Guide) -> Source:
    """BPR05, which only an ACH payment has."""
    methods = {word: guide.payment_format for word, code in guide.payment_methods.items() if code == _ACH}
    return lookup("payment format", "payment.method", methods, optional=True)


def _detail(guide: Guide) -> Row:
    """RMR: 04 what was paid, 05 the gross amount, 06 the discount taken, 07 and 08 why and by how much else they differ."""
    kind = computed("kind of item", lambda paid: _CREDIT_MEMO if paid < 0 else "IV", "detail.paid")
    listed = computed("is listed", lambda paid: paid >= 0, "detail.paid") if guide.credits == "adjustments" else None
    elements: dict[int, Source] = {
        1: kind,
        2: path("detail.number"),
        3: computed("partial payment", lambda gross: "PP" if gross is None else "", "detail.gross"),
        4: path("detail.paid"),
        5: path("detail.gross"),
        6: computed("discount", _said, "detail.discount"),
        7: path("detail.adjustment_code"),
        8: computed("adjustment", _said, "detail.adjustment"),
    }
    return segment(
        "RMR",
        elements,
        when=listed,
        exact={
            2: "it says which bill was paid",
            4: "it is what was paid",
            5: "it is what was owed",
            6: "it was taken off",
            8: "it was taken off",
        },
        guards="an advice says what was paid",
        children=(
            segment("REF", {1: "PO", 2: path("detail.order")}),
            segment("DTM", {1: "003", 2: path("detail.date")}),
        ),
    )


def _credits(guide: Guide) -> tuple[Each, ...]:
    """ADX for each credit, before the bills, where the partner wants them apart."""
    if guide.credits != "adjustments":
        return ()
    apart = computed("is credit", lambda paid: paid < 0, "credit.paid")
    elements: dict[int, Source] = {1: path("credit.paid"), 2: _CREDIT_MEMO, 3: _CREDIT_MEMO, 4: path("credit.number")}
    return (
        each(
            "credit",
            "payment.details",
            segment(
                "ADX",
                elements,
                when=apart,
                by="guide.credits",
                exact={1: "it was taken off"},
                guards="it was taken off what was paid",
            ),
        ),
    )


def _said(amount: Decimal) -> Decimal | None:
    return amount or None


def check_sums(subject: Mapping[str, Any]) -> Iterable[DataError]:
    """The details make up the total, which is not negative; each is its gross amount less the discount, plus the adjustment."""
    payment: Payment = subject["payment"]
    added = sum((detail.paid for detail in payment.details), Decimal(0))
    return [*_details(payment), *_total(payment, added)]


def _total(payment: Payment, added: Decimal) -> Iterator[DataError]:
    if not payment.details:
        yield _error(payment, "The payment settles nothing", "", "an advice needs at least one bill", "MLC-X12-0311")
    elif added != payment.total:
        why = f"its bills add up to {added}, the payment says {payment.total} {payment.currency}"
        yield _error(payment, "The bills paid do not add up to the payment", "", why, "MLC-X12-0312")
    elif payment.total < 0:
        yield _error(
            payment, "The payment is negative", "", f"it says {payment.total} {payment.currency}", "MLC-X12-0314"
        )


def _details(payment: Payment) -> Iterator[DataError]:
    for number, detail in enumerate(payment.details, start=1):
        place = f", detail {number} (bill {detail.number})"
        if detail.gross is not None and detail.paid != detail.gross - detail.discount + detail.adjustment:
            what = "A bill was not paid at its amount less discount and adjustment"
            yield _error(payment, what, place, _difference(detail), "MLC-X12-0313")


def _difference(detail: PaymentDetail) -> str:
    return f"{detail.paid} was paid; {detail.gross} - {detail.discount} + {detail.adjustment} is another amount"


def _error(payment: Payment, what: str, place: str, why: str, code: str) -> DataError:
    where = f"payment {payment.number or payment.record}{place}"
    return DataError(
        what, where=where, why=why, mend="Correct the payment in the books and run again", owner="AP", code=code
    )


def remittance_plan(guide: Guide, role: str = "remittance", place: Place | None = None) -> Plan:
    """The 820 plan for a guide; the only role is ``remittance``. Compile once, share it.

    Its subject is ``{"payment": Payment, "us": {"name", "id"}, "partner": {"code", "name"}}``. Raises `ConfigError` for another
    role and for a guide that cannot be met.
    """
    if role not in ROLES:
        raise ConfigError(
            f"An 820 cannot play the role {role!r}",
            where="documents",
            why="its only role is remittance",
            mend="Correct `role` in the partner's file",
            owner="EDI desk",
            code="MLC-X12-0206",
        )
    check_guide(guide, "820")
    return compile_plan("820", remittance_mapping(guide), guide, place)
