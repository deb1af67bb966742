"""Payments. Here a payment settles its bills in full: what is paid of a bill is told by its state alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from stages.ap.seed.world import SeedBill, SeedPayment, SeedPaymentDetail
from stages.intacct.simulator.errors import BUSINESS, FunctionRefused, missing, unknown, wrong_state
from stages.intacct.simulator.legacy import Given
from stages.intacct.simulator.rows import BillRow, PaymentRow, Row
from stages.intacct.simulator.saving.kind import Done, Kind, Values, typed, words

_REQUESTED = frozenset({"Printed Check", "ACH", "EFT"})
"""Methods whose payments wait for approval; others are complete when they are entered."""
_STEPS: dict[str, tuple[frozenset[str], str, str]] = {
    "approve": (frozenset({"Submitted"}), "Approved", "Selected"),
    "decline": (frozenset({"Submitted"}), "Draft", "Posted"),
    "send": (frozenset({"Submitted", "Approved"}), "Approved", "Selected"),
    "confirm": (frozenset({"Submitted", "Approved"}), "Complete", "Paid"),
    "void": (frozenset({"Complete"}), "Voided", "Posted"),
}
"""By what is done: the states it can be done in, the state after it, and that of the bills."""


class Payments(Kind):
    object = "APPYMT"
    required = ("PAYMENTMETHOD", "FINANCIALENTITY", "VENDORID", "PAYMENTDATE")
    actions = ("ACTION",)

    def create(self, values: Values, lines: list[Given], location: str) -> Done:
        vendor, method, now = words(values, "VENDORID"), words(values, "PAYMENTMETHOD"), self.books.now()
        if self.books.vendor(vendor) is None:
            raise unknown("Vendor", vendor)
        bills = [self._settled(vendor, line) for line in lines]
        if not bills:
            raise missing("payment", "APPYMTDETAILS")
        state = "Submitted" if method in _REQUESTED else "Complete"
        if words(values, "ACTION").title() == "Draft":
            state = "Draft"
        payment = SeedPayment(
            record=self.next_record(),
            number=words(values, "DOCNUMBER"),
            vendor=vendor,
            method=method,
            state=state,
            date=values.pop("PAYMENTDATE"),  # type: ignore[arg-type]
            memo=words(values, "DESCRIPTION"),
            total=sum((bill.total for bill in bills), Decimal(0)),
            currency=words(values, "CURRENCY") or bills[0].currency,
            entity=location,
            details=self._details(bills),
            created=now,
            modified=now,
        )
        self.books.put_payment(payment)
        self._move(bills, {"Draft": "Posted", "Submitted": "Selected", "Complete": "Paid"}[state])

        def undo() -> None:
            self.books.drop_payment(payment.record)
            self._back(bills)

        return Done(self.books.tables[self.object].rows[payment.record], undo)

    def change(self, row: Row, values: Values, lines: list[Given]) -> Done:
        """What is said of the payment, and what it settles, as long as it waits for approval."""
        assert isinstance(row, PaymentRow)
        before = row.seed
        words(values, "ACTION")
        if lines:
            return self._resettled(row, lines)
        changes = {name: words(values, field) for name, field in (("number", "DOCNUMBER"), ("memo", "DESCRIPTION")) if field in values}  # fmt: skip
        self.books.put_payment(msgspec.structs.replace(before, modified=self.books.now(), **changes))
        return Done(row, lambda: self.books.put_payment(before))

    def drop(self, row: Row) -> Done:
        assert isinstance(row, PaymentRow)
        before, bills = row.seed, self._bills(row)
        if before.state not in {"Draft", "Submitted", "Approved"}:
            raise wrong_state(f"The payment is {before.state} and cannot be deleted.")
        self.books.drop_payment(row.record)
        self._move(bills, "Posted")
        return Done(row, self._undo(before, bills))

    def step(self, row: PaymentRow, name: str) -> Done:
        """Approves, declines, sends, confirms or voids a payment; its bills follow."""
        states, after, billed = _STEPS[name]
        before, bills = row.seed, self._bills(row)
        if before.state not in states:
            raise wrong_state(f"The payment is {before.state}: it is too early or too late to {name} it.")
        self.books.put_payment(msgspec.structs.replace(before, state=after, modified=self.books.now()))
        self._move(bills, billed)
        return Done(self.books.tables[self.object].rows[before.record], self._undo(before, bills))

    def _resettled(self, row: PaymentRow, lines: list[Given]) -> Done:
        before, old = row.seed, self._bills(row)
        if before.state not in {"Draft", "Submitted"}:
            raise wrong_state(f"The payment is {before.state} and its details cannot be changed.")
        bills = [self._settled(before.vendor, line, old) for line in lines]
        details = self._details(bills)
        total = sum((bill.total for bill in bills), Decimal(0))
        self.books.put_payment(msgspec.structs.replace(before, details=details, total=total, modified=self.books.now()))
        self._move(old, "Posted")
        self._move(bills, "Selected" if before.state == "Submitted" else "Posted")

        def undo() -> None:
            self._back(bills)
            self._undo(before, old)()

        return Done(row, undo)

    def _settled(self, vendor: str, given: Given, own: Iterable[SeedBill] = ()) -> SeedBill:
        """The bill that a detail settles: one that is open, or the payment's ``own``."""
        values = typed(self.books.types["APPYMTDETAIL"], given)
        key, amount = values.get("RECORDKEY"), values.get("TRX_PAYMENTAMOUNT")
        row = self.books.tables["APBILL"].rows.get(key) if isinstance(key, int) else None
        if not isinstance(row, BillRow) or row.seed.vendor != vendor:
            raise unknown("bill", given.get("RECORDKEY", ""))
        if row.seed.state != "Posted" and row.record not in {bill.record for bill in own}:
            raise wrong_state(f"Bill {row.record} is {row.seed.state} and cannot be paid.")
        if amount not in (None, row.seed.total):
            raise FunctionRefused(
                BUSINESS, f"Bill {row.record} can only be paid in full here, which is {row.seed.total}"
            )
        return row.seed

    def _details(self, bills: Iterable[SeedBill]) -> tuple[SeedPaymentDetail, ...]:
        return tuple(
            SeedPaymentDetail(record=self.books.next_record("APPYMTDETAIL"), bill=bill.record, amount=bill.total)
            for bill in bills
        )

    def _bills(self, row: PaymentRow) -> list[SeedBill]:
        rows = self.books.tables["APBILL"].rows
        found = [rows.get(detail.detail.bill) for detail in row.details]
        return [bill.seed for bill in found if isinstance(bill, BillRow)]

    def _move(self, bills: Iterable[SeedBill], state: str) -> None:
        for bill in bills:
            if bill.state != state:
                self.books.put_bill(msgspec.structs.replace(bill, state=state, modified=self.books.now()))

    def _back(self, bills: Iterable[SeedBill]) -> None:
        for bill in bills:
            self.books.put_bill(bill)

    def _undo(self, before: SeedPayment, bills: list[SeedBill]) -> Callable[[], None]:
        def undo() -> None:
            self.books.put_payment(before)
            self._back(bills)

        return undo
