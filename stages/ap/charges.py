"""Lines that are no goods: charges, allowances and taxes by the guide, and what is counted and discounted of the rest. Pure.

The bill has no charges of its own: a line is one by the account it is booked to (``guide.charges``), or, with
``guide.allowance_code``, by having the other sign than its bill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pipeline import DataError
from stages.ap.model import Bill
from stages.x12.guide import Charge, Guide
from stages.x12.writing.mapping import Each, Row, Source, computed, each, lookup, path, segment

_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)
_IN_TOTAL = "it is in the document's total"

_KINDS = ("bill.lines.account", "bill.lines.amount", "bill.total")
"""What tells whether a line is goods."""


def _each(columns: Sequence[Any]) -> list[Sequence[Any]]:
    """The columns of `_KINDS`, with the bill's total repeated for each line."""
    accounts, amounts, total = columns
    return [accounts, amounts, [total] * len(accounts)]


def _against(amount: Decimal, total: Decimal) -> bool:
    """Whether the line has the other sign than its bill: a discount in an invoice."""
    return amount * total < 0


def _goods(guide: Guide) -> Callable[[str, Decimal, Decimal], bool] | None:
    """Whether a line is goods; None when all are."""
    if not guide.charges and not guide.allowance_code:
        return None
    charges, allowances = guide.charges, bool(guide.allowance_code)
    return lambda account, amount, total: account not in charges and not (allowances and _against(amount, total))


def is_goods(guide: Guide) -> Source | None:
    goods = _goods(guide)
    return goods and computed("is goods", goods, "line.account", "line.amount", "bill.total")


def charge_rows(guide: Guide) -> tuple[Each, ...]:
    """A SAC for each line that is a charge or an allowance."""
    if not guide.charges and not guide.allowance_code:
        return ()
    kind = _charge_of(guide)
    of = ("charge.account", "charge.amount", "bill.total")

    def value(name: str, of_charge: Callable[[Charge, Decimal], Any]) -> Source:
        def get(account: str, amount: Decimal, total: Decimal) -> Any:
            charge = kind(account, amount, total)
            return of_charge(charge, _signed(guide, amount, total)) if charge is not None and charge.code else None

        return computed(name, get, *of)

    elements: dict[int, Source] = {
        1: value("charge or allowance", lambda charge, amount: "A" if amount < 0 else "C"),
        2: value("charge code", lambda charge, amount: charge.code),
        5: value("size of charge", lambda charge, amount: abs(amount)),
        12: value("handling", lambda charge, amount: charge.handling),
        15: path("charge.description"),
    }
    row = segment(
        "SAC", elements, when=elements[2], by="guide.charges" if guide.charges else "guide.allowance_code",
        exact=dict.fromkeys((1, 5, 12), _IN_TOTAL), guards=_IN_TOTAL,
    )  # fmt: skip
    return (each("charge", "bill.lines", row),)


def tax_rows(guide: Guide) -> tuple[Each, ...]:
    """A TXI for each line that is booked to an account of taxes, and for each tax the books added."""
    taxes = {account: charge.tax for account, charge in guide.charges.items() if charge.tax}

    def signed(amount: Decimal, total: Decimal) -> Decimal:
        return _signed(guide, amount, total)

    def row(kind: Source, by: str) -> Row:
        amount = computed("tax amount", signed, "tax.amount", "bill.total")
        return segment("TXI", {1: kind, 2: amount}, when=kind, by=by, exact={2: _IN_TOTAL}, guards=_IN_TOTAL)

    added = computed("tax type", lambda account: taxes.get(account, guide.tax_type), "tax.account")
    rows = [each("tax", "bill.taxes", row(added, "guide.tax_type"))]
    if taxes:
        rows.insert(
            0, each("tax", "bill.lines", row(lookup("tax", "tax.account", taxes, optional=True), "guide.charges"))
        )
    return tuple(rows)


def _charge_of(guide: Guide) -> Callable[[str, Decimal, Decimal], Charge | None]:
    allowance = Charge(code=guide.allowance_code, handling="02") if guide.allowance_code else None

    def charge(account: str, amount: Decimal, total: Decimal) -> Charge | None:
        found = guide.charges.get(account)
        return found or (allowance if _against(amount, total) else None)

    return charge


def _signed(guide: Guide, amount: Decimal, total: Decimal) -> Decimal:
    """An amount with the sign the partner wants credits to have."""
    return -amount if guide.credit_sign == "type" and total < 0 else amount


# -- counts and discounts ------------------------------------------------------------------------------------------------


def count_row(guide: Guide, *children: Row) -> Row:
    """CTT: how many lines of goods, and with ``hash_total`` the sum of their quantities."""
    goods = _goods(guide)
    elements: dict[int, Source] = {1: computed("count", len, "bill.lines.number")}
    if goods is not None:
        elements[1] = computed("goods count", lambda *columns: sum(map(goods, *_each(columns))), *_KINDS)
    if guide.hash_total:
        elements[2] = computed("sum of quantities", _summed(guide), "bill.lines.quantity", *_KINDS)
    return segment("CTT", elements, children=children, exact={1: "it counts the lines"})


def _summed(guide: Guide) -> Callable[..., Decimal]:
    goods = _goods(guide) or (lambda *of: True)
    typed = guide.credit_sign == "type"

    def summed(quantities: Sequence[Decimal], *columns: Any) -> Decimal:
        kept = [quantity for quantity, *of in zip(quantities, *_each(columns), strict=True) if goods(*of)]
        return sum((abs(q) if typed and columns[-1] < 0 else q for q in kept), Decimal(0))

    return summed


_DISCOUNT_PATHS = ("bill.terms", *_KINDS)


def discount_amount(guide: Guide) -> Source:
    """What the terms discount amounts to: the percentage of the goods, rounded half up to the cent; nothing without one."""
    return computed("discount amount", lambda *values: _discount(guide, *values)[1], *_DISCOUNT_PATHS)


def discounted_totals(guide: Guide) -> dict[int, Source]:
    """TDS02 to TDS04: the amount subject to discount, what is due when it is taken, and the discount."""

    def due(*values: Any) -> Decimal | None:
        discount = _discount(guide, *values)[1]
        return None if discount is None else _signed(guide, values[-1], values[-1]) - discount

    subject = computed("subject to discount", lambda *values: _discount(guide, *values)[0], *_DISCOUNT_PATHS)
    return {2: subject, 3: computed("discounted total", due, *_DISCOUNT_PATHS), 4: discount_amount(guide)}


def _discount(guide: Guide, terms: str | None, *columns: Any) -> tuple[Decimal | None, Decimal | None]:
    """The amount subject to discount and the discount, or two times None."""
    known = guide.terms.get(terms or "")
    if known is None or known.percent is None:
        return None, None
    goods = _goods(guide) or (lambda *of: True)
    subject = sum(
        (amount for account, amount, total in zip(*_each(columns), strict=True) if goods(account, amount, total)),
        Decimal(0),
    )
    subject = _signed(guide, subject, columns[-1])
    return subject, (subject * known.percent / _HUNDRED).quantize(_CENT, ROUND_HALF_UP)


def check_goods(guide: Guide) -> Callable[[Mapping[str, Any]], Iterable[DataError]]:
    """An order is of something: not all its lines may be charges."""
    goods = _goods(guide)

    def check(subject: Mapping[str, Any]) -> Iterator[DataError]:
        bill: Bill = subject["bill"]
        if goods and bill.lines and not any(goods(line.account, line.amount, bill.total) for line in bill.lines):
            why = "all of its lines are charges, allowances or taxes by `guide.charges` and `guide.allowance_code`"
            yield DataError(
                "The bill has no line of goods",
                where=f"bill {bill.number or bill.record}",
                why=why,
                mend="Correct `guide.charges` in the partner's file, or exclude such bills",
                owner="EDI desk",
                code="MLC-X12-0305",
            )

    return check
