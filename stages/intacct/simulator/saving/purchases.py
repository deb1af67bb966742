"""Purchasing documents. A document of the class Invoice makes a bill; each edit of it deletes the bill and makes it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from stages.ap.seed.world import SeedBill, SeedLine, SeedPurchase
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.errors import missing, unknown, wrong_state
from stages.intacct.simulator.legacy import Given
from stages.intacct.simulator.model import show
from stages.intacct.simulator.rows import BillRow, PurchaseRow, Row
from stages.intacct.simulator.saving.bills import PAID
from stages.intacct.simulator.saving.kind import LINE, Done, Kind, Values, typed, words

FIXED = frozenset({"Submitted", "In Progress", "Converted", "Partially Converted"})
"""States in which a document can be neither changed nor deleted."""
_CENT = Decimal("0.01")
_SUBTOTAL = "SUBTOTAL"
_PREFIX = {"Quote": "PR", "Order": "PO", "List": "RC", "Invoice": "VI"}
_WORDS = {
    "unit": "UNIT",
    "description": "ITEMDESC",
    "alias": "ITEMALIASID",
    "department": "DEPARTMENTID",
    "location": "LOCATIONID",
}


_KEPT = frozenset({"ITEMID", "UIQTY", "QUANTITY", "UIPRICE", "PRICE", *_WORDS.values()})


class Purchases(Kind):
    object = "PODOCUMENT"
    required = ("DOCPARID", "CUSTVENDID", "WHENCREATED")
    actions = ("ACTION",)

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        self._numbered = 0

    def create(self, values: Values, lines: list[Given], location: str) -> Done:
        seed, source = self._new(values), self._source(words(values, "CREATEDFROM"))
        rests: dict[int, Values] = {}
        drawn = self._changed((), lines, rests)
        if all(line.generated for line in drawn):
            raise missing("purchasing transaction", "PODOCUMENTENTRIES")
        if source is not None:
            seed = msgspec.structs.replace(seed, order=source.seed.id, order_number=source.seed.number)
        document = msgspec.structs.replace(seed, lines=drawn)
        bill = self._bill(document, values, location)
        converted = source.seed if source is not None else None
        self._save(document, None, bill)
        self.keep("PODOCUMENTENTRY", self._row(document.id).lines, rests)
        if converted is not None:
            self.books.put_purchase(msgspec.structs.replace(converted, state="Converted", modified=self.books.now()))

        def undo() -> None:
            self._take(document, bill)
            if converted is not None:
                self.books.put_purchase(converted)

        return Done(self._row(document.id), undo)

    def change(self, row: Row, values: Values, lines: list[Given]) -> Done:
        assert isinstance(row, PurchaseRow)
        self._check_open(row, "changed")
        before, old = row.seed, row.bill
        action = words(values, "ACTION")
        state = action.title() if action else before.state
        rests: dict[int, Values] = {}
        drawn = self._changed(before.lines, lines, rests) if lines else before.lines
        document = msgspec.structs.replace(before, lines=drawn, state=state, modified=self.books.now())
        bill = self._again(old, document, values) if old else self._bill(document, values, "")
        self._save(document, old.seed if old else None, bill)
        after = self._row(document.id)
        again, back = (
            self.keep("PODOCUMENTENTRY", after.lines, rests),
            self._undo(before, old.seed if old else None, bill),
        )

        def undo() -> None:
            again()
            back()

        return Done(after, undo)

    def drop(self, row: Row) -> Done:
        assert isinstance(row, PurchaseRow)
        self._check_open(row, "deleted")
        before, old = row.seed, row.bill
        source = self.books.purchase_row(before.order) if before.order else None
        self._take(before, old.seed if old else None)
        again = self._undo(before, old.seed if old else None, None)
        if source is None or source.seed.state != "Converted":
            return Done(row, again)
        kept = source.seed  # what it was converted from is open again
        self.books.put_purchase(msgspec.structs.replace(kept, state="Pending", modified=self.books.now()))

        def undo() -> None:
            again()
            self.books.put_purchase(kept)

        return Done(row, undo)

    def decide(self, row: PurchaseRow, state: str) -> Done:
        """Approves or declines what was submitted; its bill follows."""
        before, old = row.seed, row.bill
        shown = show(self.type.fields["STATE"].take(row))
        if shown not in {"Submitted", "Partially Approved"}:
            raise wrong_state(f"The transaction is {shown} and waits for no approval.")
        now = self.books.now()
        self.books.put_purchase(msgspec.structs.replace(before, state=state, modified=now))
        if old is not None:
            posted = now.date() if state == "Approved" else None
            billed = "Posted" if state == "Approved" else "Declined"
            self.books.put_bill(msgspec.structs.replace(old.seed, state=billed, posted=posted, modified=now))
        return Done(self._row(before.id), self._undo(before, old.seed if old else None, None))

    # What a document is made of

    def _new(self, values: Values) -> SeedPurchase:
        definition, vendor = words(values, "DOCPARID"), words(values, "CUSTVENDID")
        if not self.books.is_defined(definition):
            raise unknown("transaction definition", definition)
        known = self.books.vendor(vendor)
        if known is None:
            raise unknown("Vendor", vendor)
        number = words(values, "DOCNO") or self._number(definition)
        id = f"{definition}-{number}"
        if self.books.purchase_row(id) is not None:
            raise wrong_state(f"The document number {number} is used by another {definition}.")
        now = self.books.now()
        return SeedPurchase(
            record=self.next_record(),
            id=id,
            number=number,
            definition=definition,
            vendor=vendor,
            date=values.pop("WHENCREATED"),  # type: ignore[arg-type]
            currency=words(values, "CURRENCY") or known.seed.currency or "USD",
            state=words(values, "ACTION").title() or "Pending",
            created=now,
            modified=now,
        )

    def _number(self, definition: str) -> str:
        """The next number of the definition, as a company that numbers by itself gives it."""
        while True:
            self._numbered += 1
            number = f"{_PREFIX.get(self.books.definition(definition).kind, 'PT')}-N{self._numbered:05d}"
            if self.books.purchase_row(f"{definition}-{number}") is None:
                return number

    def _source(self, id: str) -> PurchaseRow | None:
        """The document that this one is converted from."""
        if not id:
            return None
        row = self.books.purchase_row(id)
        if row is None:
            raise unknown("source document", id)
        if show(self.type.fields["STATE"].take(row)) == "Converted":
            raise wrong_state(f"{id} is converted already.")
        return row

    def _changed(
        self, before: Iterable[SeedLine], lines: list[Given], rests: dict[int, Values]
    ) -> tuple[SeedLine, ...]:
        """The lines with these in them, and behind them the subtotals: freight and tax, told by their names."""
        kept = {line.number: line for line in before}
        for line in (line for line in lines if _SUBTOTAL not in line):
            number = int(line.pop(LINE, "0") or 0)
            if number and number not in kept:
                raise unknown("line", number)
            place = number or max(kept, default=0) + 1
            kept[place] = self._line(place, line, rests, kept.get(place))
        goods = sum((line.amount for line in kept.values() if not line.generated), Decimal(0))
        for line in (line for line in lines if _SUBTOTAL in line):
            named = [
                number for number, known in kept.items() if known.generated and known.description == line[_SUBTOTAL]
            ]
            place = named[0] if named else max(kept, default=0) + 1
            kept[place] = _subtotal(place, line, goods)
        return tuple(kept[number] for number in sorted(kept))

    def _line(self, number: int, given: Given, rests: dict[int, Values], before: SeedLine | None = None) -> SeedLine:
        """The line; what it says besides goes to ``rests``."""
        values = typed(self.books.types["PODOCUMENTENTRY"], given)
        rests[number] = {name: value for name, value in values.items() if name not in _KEPT}
        item = str(values.get("ITEMID") or (before.item if before else ""))
        quantity = values.get("UIQTY", values.get("QUANTITY", before.quantity if before else None))
        price = values.get("UIPRICE", values.get("PRICE", before.price if before else Decimal(0)))
        for name, value in (("ITEMID", item), ("QUANTITY", quantity)):
            if not value:
                raise missing("purchasing line", name)
        known = self.books.master("ITEM", item)
        if known is None:
            raise unknown("Item", item)
        assert isinstance(quantity, Decimal)
        assert price is None or isinstance(price, Decimal)
        said: dict[str, Any] = {name: str(values[field] or "") for name, field in _WORDS.items() if field in values}
        usual = before or SeedLine(number=number, amount=Decimal(0), description=known.seed.name)
        amount = (quantity * price).quantize(_CENT) if price is not None else usual.amount
        return msgspec.structs.replace(
            usual, item=item, item_name=known.seed.name, quantity=quantity, price=price, amount=amount, **said
        )

    # The bill of a document

    def _bill(self, document: SeedPurchase, values: Values, location: str) -> SeedBill | None:
        if self.books.definition(document.definition).kind != "Invoice" or document.state == "Draft":
            return None
        now = document.modified
        return SeedBill(
            record=self.books.reserve(),
            number=words(values, "VENDORDOCNO"),
            vendor=document.vendor,
            state="Posted",
            date=document.date,
            due=values.pop("WHENDUE", None),  # type: ignore[arg-type]
            posted=document.date,
            terms=words(values, "TERM.NAME"),
            reference=document.order_number,
            total=_total(document),
            currency=document.currency,
            entity=location,
            purchase=document.id,
            lines=document.lines,
            created=now,
            modified=now,
        )

    def _again(self, old: BillRow, document: SeedPurchase, values: Values) -> SeedBill:
        """The bill under a new record, with the document's lines and what else was changed of it."""
        changes: dict[str, Any] = {}
        if "VENDORDOCNO" in values:
            changes["number"] = words(values, "VENDORDOCNO")
        if "WHENDUE" in values:
            changes["due"] = values.pop("WHENDUE")
        if "TERM.NAME" in values:
            changes["terms"] = words(values, "TERM.NAME")
        return msgspec.structs.replace(
            old.seed, record=self.books.reserve(), lines=document.lines, total=_total(document), modified=document.modified,
            **changes,
        )  # fmt: skip

    def _check_open(self, row: PurchaseRow, what: str) -> None:
        state = show(self.type.fields["STATE"].take(row))
        if state in FIXED:
            raise wrong_state(f"The transaction is {state} and cannot be {what}.")
        if row.bill is not None and row.bill.seed.state in PAID:
            raise wrong_state(f"The bill of the transaction is {row.bill.seed.state}; it cannot be {what}.")

    # The books

    def _row(self, id: str) -> PurchaseRow:
        row = self.books.purchase_row(id)
        assert row is not None
        return row

    def _save(self, document: SeedPurchase, old: SeedBill | None, bill: SeedBill | None) -> None:
        self.books.put_purchase(document)
        at = document.modified
        if old is not None:
            self.books.drop_bill(old.record)
            self.books.note("apbill", str(old.record), "D", at=at, source="system")
        if bill is not None:
            self.books.put_bill(bill)
            self.books.note("apbill", str(bill.record), "C", at=at, source="system")

    def _take(self, document: SeedPurchase, bill: SeedBill | None) -> None:
        self.books.drop_purchase(document.id)
        if bill is not None:
            self.books.drop_bill(bill.record)
            self.books.note("apbill", str(bill.record), "D", at=self.books.now(), source="system")

    def _undo(self, before: SeedPurchase, old: SeedBill | None, made: SeedBill | None) -> Callable[[], None]:
        def undo() -> None:
            if made is not None:
                self.books.drop_bill(made.record)
            self.books.put_purchase(before)
            if old is not None:
                self.books.put_bill(old)

        return undo


def _subtotal(number: int, given: Given, goods: Decimal) -> SeedLine:
    """Its total, else its value, else its percentage of the goods."""
    try:
        percent = Decimal(given.get(f"{_SUBTOTAL}.PERCENTVAL") or 0)
        amount = Decimal(given.get(f"{_SUBTOTAL}.TOTAL") or given.get(f"{_SUBTOTAL}.ABSVAL") or goods * percent / 100)
    except InvalidOperation:
        raise unknown("subtotal", given[_SUBTOTAL]) from None
    return SeedLine(number=number, amount=amount.quantize(_CENT), description=given[_SUBTOTAL], generated=True)


def _total(document: SeedPurchase) -> Decimal:
    return sum((line.amount for line in document.lines), Decimal(0))
