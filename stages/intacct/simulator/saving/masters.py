"""Accounts, dimensions and item cross references."""

from __future__ import annotations

import msgspec

from stages.ap.seed.world import SeedMaster, SeedReference
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.errors import BUSINESS, FunctionRefused, duplicate, missing, unknown
from stages.intacct.simulator.legacy import Given
from stages.intacct.simulator.rows import MasterRow, ReferenceRow, Row
from stages.intacct.simulator.saving.kind import Done, Kind, Values, words


class Masters(Kind):
    """An account, or a value of a dimension."""

    def __init__(self, books: Books, object: str) -> None:
        super().__init__(books)
        self.object = object
        label = next(field.id for field in self.type.fields.values() if field.writable == "name")
        self.required = (self.type.name_field, label)

    def create(self, values: Values, lines: list[Given], location: str) -> Done:
        id = words(values, self.type.name_field)
        if self.books.master(self.object, id) is not None:
            raise duplicate(self.object.lower(), id)
        blank = SeedMaster(object=self.object, record=self.next_record(), id=id, name="", modified=self.books.now())
        return self._put(msgspec.structs.replace(blank, **self.attributes(values)), lambda: self._remove(id))

    def change(self, row: Row, values: Values, lines: list[Given]) -> Done:
        assert isinstance(row, MasterRow)
        before = row.seed
        after = msgspec.structs.replace(before, modified=self.books.now(), **self.attributes(values))
        return self._put(after, lambda: self.books.put_master(before))

    def drop(self, row: Row) -> Done:
        assert isinstance(row, MasterRow)
        self._remove(row.seed.id)
        return Done(row, lambda: self.books.put_master(row.seed))

    def _remove(self, id: str) -> None:
        self.books.drop_master(self.object, id)

    def _put(self, seed: SeedMaster, undo: object) -> Done:
        self.books.put_master(seed)
        return Done(self.books.tables[self.object].rows[seed.record], undo)  # type: ignore[arg-type]


class References(Kind):
    """What a vendor calls an item. The number is unique for vendor and item; those of customers are not kept here."""

    object = "ITEMCROSSREF"
    required = ("REFTYPE", "ITEMID")

    def create(self, values: Values, lines: list[Given], location: str) -> Done:
        kind, item = words(values, "REFTYPE"), words(values, "ITEMID")
        if kind != "Vendor":
            raise FunctionRefused(BUSINESS, f"Cross references of the type {kind} cannot be created here")
        vendor = words(values, "VENDORID")
        for name, value in (("VENDORID", vendor), ("ITEMALIASID", values.get("ITEMALIASID"))):
            if not value:
                raise missing("item cross reference", name)
        self._check(vendor, item, str(values["ITEMALIASID"]))
        now, changes = self.books.now(), self.attributes(values)
        seed = SeedReference(
            record=self.next_record(), item=item, vendor=vendor, created=now, modified=now, **({"number": ""} | changes)
        )
        self.books.put_reference(seed)
        return Done(self.books.tables[self.object].rows[seed.record], lambda: self.books.drop_reference(seed.record))

    def change(self, row: Row, values: Values, lines: list[Given]) -> Done:
        assert isinstance(row, ReferenceRow)
        before = row.seed
        if values.get("ITEMALIASID") not in (None, before.number):
            self._check(before.vendor, before.item, str(values["ITEMALIASID"]))
        self.books.put_reference(msgspec.structs.replace(before, modified=self.books.now(), **self.attributes(values)))
        return Done(row, lambda: self.books.put_reference(before))

    def drop(self, row: Row) -> Done:
        assert isinstance(row, ReferenceRow)
        self.books.drop_reference(row.record)
        return Done(row, lambda: self.books.put_reference(row.seed))

    def _check(self, vendor: str, item: str, number: str) -> None:
        if self.books.vendor(vendor) is None:
            raise unknown("Vendor", vendor)
        if self.books.master("ITEM", item) is None:
            raise unknown("Item", item)
        same = (vendor, item, number)
        rows = self.books.tables[self.object].rows.values()
        if any((r.seed.vendor, r.seed.item, r.seed.number) == same for r in rows if isinstance(r, ReferenceRow)):
            raise duplicate("item cross reference", number)
