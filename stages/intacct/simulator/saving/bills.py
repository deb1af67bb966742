"""Bills entered in AP, and what is done to them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from stages.ap.seed.world import SeedBill, SeedLine
from stages.intacct.simulator.errors import missing, unknown, wrong_state
from stages.intacct.simulator.legacy import Given
from stages.intacct.simulator.rows import BillRow, Row
from stages.intacct.simulator.saving.kind import LINE, Done, Kind, Values, typed, words

PAID = frozenset({"Selected", "Partially Paid", "Paid", "Reversed", "Reversal"})
_WORDS = {
    "description": "ENTRYDESCRIPTION",
    "department": "DEPARTMENTID",
    "location": "LOCATIONID",
    "item": "ITEMID",
}


_KEPT = frozenset({"TRX_AMOUNT", "AMOUNT", "ACCOUNTNO", *_WORDS.values()})


class Bills(Kind):
    """A bill. One that is paid, or being paid, is neither changed in its lines nor deleted."""

    object = "APBILL"
    required = ("VENDORID", "WHENCREATED")
    actions = ("ACTION",)

    def create(self, values: Values, lines: list[Given], location: str) -> Done:
        draft = words(values, "ACTION").title() == "Draft"
        vendor = words(values, "VENDORID")
        if self.books.vendor(vendor) is None:
            raise unknown("Vendor", vendor)
        rests: dict[int, Values] = {}
        drawn = tuple(self._line(number, line, rests) for number, line in enumerate(lines, start=1))
        if not drawn:
            raise missing("bill", "APBILLITEMS")
        day, now = values.pop("WHENCREATED"), self.books.now()
        bill = SeedBill(
            record=self.books.reserve(),
            number=words(values, "RECORDID"),
            vendor=vendor,
            state="Draft" if draft else "Posted",
            date=day,  # type: ignore[arg-type]
            due=values.pop("WHENDUE", None),  # type: ignore[arg-type]
            posted=None if draft else values.pop("WHENPOSTED", None) or day,  # type: ignore[arg-type]
            total=_total(drawn),
            currency=words(values, "CURRENCY") or "USD",
            entity=location,
            lines=drawn,
            created=now,
            modified=now,
            **self.attributes(values),
        )
        self.books.put_bill(bill)
        row = self.books.bill(bill.record)
        self.keep("APBILLITEM", row.lines, rests)
        return Done(row, lambda: self._remove(bill.record))

    def change(self, row: Row, values: Values, lines: list[Given]) -> Done:
        assert isinstance(row, BillRow)
        before = row.seed
        if lines and before.state in PAID:
            raise wrong_state(f"The bill is {before.state} and its lines cannot be changed.")
        words(values, "ACTION")
        changes: dict[str, Any] = self.attributes(values)
        rests: dict[int, Values] = {}
        if lines:
            drawn = self._changed(row, lines, rests)
            changes |= {"lines": drawn, "total": _total(drawn)}
        self.books.put_bill(msgspec.structs.replace(before, modified=self.books.now(), **changes))
        after = self.books.bill(before.record)
        again = self.keep("APBILLITEM", after.lines, rests)

        def undo() -> None:
            again()
            self.books.put_bill(before)

        return Done(after, undo)

    def drop(self, row: Row) -> Done:
        assert isinstance(row, BillRow)
        if row.seed.state in PAID:
            raise wrong_state(f"The bill is {row.seed.state} and cannot be deleted.")
        self._remove(row.record)
        return Done(row, lambda: self.books.put_bill(row.seed))

    def reverse(self, row: BillRow, values: Values) -> Done:
        """The bill becomes Reversed, and a bill of the opposite amounts (Reversal) stands beside it."""
        before = row.seed
        if before.state != "Posted":
            raise wrong_state(f"The bill is {before.state} and cannot be reversed.")
        now, day = self.books.now(), values.pop("WHENCREATED", None) or self.books.now().date()
        lines = tuple(msgspec.structs.replace(line, amount=-line.amount) for line in before.lines)
        counter = msgspec.structs.replace(
            before, record=self.books.reserve(), state="Reversal", date=day, posted=day, lines=lines, total=-before.total,
            purchase=None, created=now, modified=now, description=words(values, "DESCRIPTION") or before.description,
        )  # fmt: skip
        self.books.put_bill(msgspec.structs.replace(before, state="Reversed", modified=now))
        self.books.put_bill(counter)

        def undo() -> None:
            self._remove(counter.record)
            self.books.put_bill(before)

        return Done(self.books.bill(counter.record), undo)

    def _remove(self, record: int) -> None:
        self.books.drop_bill(record)

    def _changed(self, row: BillRow, lines: list[Given], rests: dict[int, Values]) -> tuple[SeedLine, ...]:
        """The bill's lines with these in them: one that names a line changes it, the others come behind."""
        kept = {line.line.number: line.line for line in row.lines}
        records = {str(line.record): line.line.number for line in row.lines}
        for line in lines:
            number = int(line.pop(LINE, "0") or 0) or records.get(line.pop("RECORDNO", ""), 0)
            if number and number not in kept:
                raise unknown("line", number)
            place = number or max(kept, default=0) + 1
            kept[place] = self._line(place, line, rests, kept.get(place))
        return tuple(kept[number] for number in sorted(kept))

    def _line(self, number: int, given: Given, rests: dict[int, Values], before: SeedLine | None = None) -> SeedLine:
        """The line; what it says besides goes to ``rests``."""
        values = typed(self.books.types["APBILLITEM"], given)
        rests[number] = {name: value for name, value in values.items() if name not in _KEPT}
        amount = values.get("TRX_AMOUNT", values.get("AMOUNT", before.amount if before else None))
        if not isinstance(amount, Decimal):
            raise missing("bill line", "TRX_AMOUNT")
        account = values.get("ACCOUNTNO") or values.get("ACCOUNTLABEL") or (before.account if before else "")
        if not account:
            raise missing("bill line", "ACCOUNTNO")
        said = {name: str(values[field] or "") for name, field in _WORDS.items() if field in values}
        usual = before or SeedLine(number=number, amount=amount, description="")
        return msgspec.structs.replace(usual, amount=amount, account=str(account), **said)


def _total(lines: tuple[SeedLine, ...]) -> Decimal:
    return sum((line.amount for line in lines if not line.generated), Decimal(0))
