"""The `query` function: what it selects, refuses, orders and counts."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from lxml import etree

from stages.ap.seed import SeedAdjustment, SeedPayment, SeedPaymentDetail

SEE_ALL = "<options><showprivate>true</showprivate></options>"
BY_RECORD = "<orderby><order><field>RECORDNO</field><ascending/></order></orderby>"


def _query(filter="", *, object="APBILL", select="<field>RECORDNO</field>", order=BY_RECORD, options=SEE_ALL, more=""):
    condition = f"<filter>{filter}</filter>" if filter else ""
    return f"<query><object>{object}</object><select>{select}</select>{condition}{order}{options}{more}</query>"


def _test(operator, field, *values):
    inner = "".join(f"<value>{value}</value>" for value in values)
    return f"<{operator}><field>{field}</field>{inner}</{operator}>"


# A condition on the small world's bills, and the records that satisfy it.
CONDITIONS = {
    "equalto number": (_test("equalto", "RECORDNO", "103"), [103]),
    "equalto text": (_test("equalto", "RECORDID", "INV-2"), [102]),
    "equalto text is case sensitive": (_test("equalto", "RECORDID", "INV-6"), []),
    "equalto label": (_test("equalto", "STATE", "Posted"), [101, 104, 105]),
    "equalto code finds nothing": (_test("equalto", "STATE", "A"), []),
    "equalto boolean": (_test("equalto", "ONHOLD", "true"), [106]),
    "equalto decimal compares by value": (_test("equalto", "TRX_TOTALENTERED", "5900.000"), [102]),
    "equalto date": (_test("equalto", "WHENCREATED", "02/20/2026"), [101, 102, 103, 104, 105, 106]),
    "equalto timestamp": (_test("equalto", "WHENMODIFIED", "03/01/2026 11:10:00"), [101]),
    "equalto empty finds nothing": (_test("equalto", "WHENPOSTED", ""), []),
    "notequalto leaves nulls out": (_test("notequalto", "WHENPOSTED", "01/01/2026"), [101, 102, 104, 105, 106]),
    "notequalto label": (_test("notequalto", "STATE", "Posted"), [102, 103, 106]),
    "lessthan": (_test("lessthan", "TRX_TOTALENTERED", "9.99"), [103]),
    "lessthanorequalto": (_test("lessthanorequalto", "TRX_TOTALENTERED", "9.99"), [103, 106]),
    "greaterthan timestamp": (_test("greaterthan", "WHENMODIFIED", "03/01/2026 11:40:00"), [105]),
    "greaterthanorequalto timestamp": (
        _test("greaterthanorequalto", "WHENMODIFIED", "03/01/2026 11:40:00"),
        [104, 105],
    ),
    "a date is midnight": (_test("greaterthan", "WHENMODIFIED", "03/01/2026"), [101, 102, 103, 104, 105]),
    "between": (_test("between", "RECORDNO", "102", "104"), [102, 103, 104]),
    "between upside down": (_test("between", "RECORDNO", "104", "102"), []),
    "in": (_test("in", "RECORDNO", "101", "106", "999", "101"), [101, 106]),
    "in labels": (_test("in", "STATE", "Draft", "Paid"), [102, 103]),
    "notin": (_test("notin", "STATE", "Posted", "Paid"), [103, 106]),
    "like percent": (_test("like", "RECORDID", "INV%"), [101, 102, 103, 104, 105]),
    "like underscore": (_test("like", "RECORDID", "INV__"), [101, 102, 103, 104, 105]),
    "like takes signs as they are": (_test("like", "DESCRIPTION", "50% off.season"), []),
    "notlike": (_test("notlike", "RECORDID", "INV%"), [106]),
    "isnull": ("<isnull><field>WHENMODIFIED</field></isnull>", [106]),
    "isnotnull": ("<isnotnull><field>DOCNUMBER</field></isnotnull>", [101]),
    "and": (f"<and>{_test('equalto', 'VENDORID', 'V-1')}{_test('equalto', 'STATE', 'Posted')}</and>", [101, 104]),
    "and of three": (
        f"<and>{_test('equalto', 'VENDORID', 'V-1')}{_test('greaterthan', 'RECORDNO', '101')}"
        f"{_test('lessthan', 'RECORDNO', '104')}</and>",
        [102],
    ),
    "or": (f"<or>{_test('equalto', 'RECORDNO', '101')}{_test('equalto', 'STATE', 'Draft')}</or>", [101, 103]),
    "keyset": (
        f"<or>{_test('greaterthan', 'WHENMODIFIED', '03/01/2026 11:20:00')}<and>"
        f"{_test('equalto', 'WHENMODIFIED', '03/01/2026 11:20:00')}{_test('greaterthan', 'RECORDNO', '101')}</and></or>",
        [102, 103, 104, 105],
    ),
    "a window round a keyset": (
        f"<and>{_test('lessthan', 'WHENMODIFIED', '03/01/2026 11:50:00')}<or>"
        f"{_test('greaterthan', 'WHENMODIFIED', '03/01/2026 11:30:00')}<and>"
        f"{_test('equalto', 'WHENMODIFIED', '03/01/2026 11:30:00')}{_test('greaterthan', 'RECORDNO', '103')}</and></or></and>",
        [104],
    ),
    "a dotted path": (_test("equalto", "VENDOR.STATUS", "inactive"), [103, 106]),
    "two steps": (_test("equalto", "VENDOR.PAYTOCONTACT.MAILADDRESS.CITY", "Salem"), [101, 102, 104]),
    "a path without end is null": ("<isnull><field>VENDOR.PAYTOCONTACT.CONTACTNAME</field></isnull>", [103, 105, 106]),
}


@pytest.mark.parametrize(("condition", "records"), CONDITIONS.values(), ids=CONDITIONS.keys())
async def test_a_condition_selects_these_bills(wired, condition, records):
    async with wired() as wire:
        found = await wire.column(_query(condition))

    assert found == [str(record) for record in records]


# A query the schema or the object refuses, with the errorno and a part of the text.
REFUSED = {
    "no object": ("<query><select><field>RECORDNO</field></select></query>", "XL03000003", "missing child element 'object'"),
    "no select": ("<query><object>APBILL</object></query>", "XL03000003", "missing child element 'select'"),
    "an empty select": (_query(select=""), "XL03000003", "at least one field"),
    "a star": (_query(select="<field>*</field>"), "XL03000010", "Field * does not exist"),
    "an unknown object": (_query(object="APBILLS"), "XL03000009", "Object definition APBILLS not found"),
    "an unknown field": (_query(select="<field>RECORDNO</field><field>COLOUR</field>"), "XL03000010", "COLOUR does not exist"),
    "a dimension not enabled": (_query(object="APBILLITEM", select="<field>TASKID</field>"), "XL03000010", "TASKID"),
    "an unknown field in a filter": (_query(_test("equalto", "COLOUR", "red")), "XL03000010", "COLOUR"),
    "an unknown path": (_query(select="<field>SELLER.NAME</field>"), "XL03000010", "SELLER.NAME"),
    "a path its end has not": (_query(select="<field>VENDOR.VENDOR.NAME</field>"), "XL03000010", "VENDOR.NAME"),
    "a relation alone": (_query(select="<field>VENDOR</field>"), "XL03000010", "VENDOR does not exist"),
    "an owned collection": (_query(select="<field>APBILLITEMS</field>"), "XL03000006", "cannot be queried: APBILLITEMS"),
    "an unknown child": (_query(more="<sort/>"), "XL03000003", "'sort' is not expected"),
    "a repeated child": (_query(more="<object>VENDOR</object>"), "XL03000003", "'object' is repeated"),
    "two operators at the top": (
        _query(_test("equalto", "RECORDNO", "1") + _test("equalto", "RECORDNO", "2")), "XL03000003", "exactly one operator",
    ),
    "an empty filter": (_query(" "), "XL03000003", "exactly one operator"),
    "an and of one": (_query(f"<and>{_test('equalto', 'RECORDNO', '1')}</and>"), "XL03000003", "at least two"),
    "an unknown operator": (_query(_test("equals", "RECORDNO", "1")), "XL03000003", "'equals' is not known"),
    "equalto two values": (_query(_test("equalto", "RECORDNO", "1", "2")), "XL03000003", "2 values given"),
    "between one value": (_query(_test("between", "RECORDNO", "1")), "XL03000003", "1 values given"),
    "in without values": (_query(_test("in", "RECORDNO")), "XL03000003", "0 values given"),
    "isnull with a value": (_query(_test("isnull", "RECORDNO", "1")), "XL03000003", "1 values given"),
    "a condition without field": (_query("<equalto><value>1</value></equalto>"), "XL03000003", "one field and its values"),
    "an ISO date": (_query(_test("equalto", "WHENCREATED", "2026-02-20")), "XL03000006", "2026-02-20 is not a date"),
    "an ISO timestamp": (_query(_test("equalto", "WHENMODIFIED", "2026-02-20T10:00:00")), "XL03000006", "is not a date"),
    "the thirteenth month": (_query(_test("equalto", "WHENCREATED", "13/01/2026")), "XL03000006", "Invalid value"),
    "a code for a boolean": (_query(_test("equalto", "ONHOLD", "T")), "XL03000006", "T is not true or false"),
    "a word for a number": (_query(_test("equalto", "RECORDNO", "first")), "XL03000006", "not a whole number"),
    "no amount": (_query(_test("equalto", "TOTALENTERED", "NaN")), "XL03000006", "not a number"),
    "a page of 2001": (_query(more="<pagesize>2001</pagesize>"), "XL03000003", "between 1 and 2000"),
    "a page of none": (_query(more="<pagesize>0</pagesize>"), "XL03000003", "between 1 and 2000"),
    "an offset below zero": (_query(more="<offset>-1</offset>"), "XL03000003", "between 0"),
    "showprivate yes": (_query(options="<options><showprivate>yes</showprivate></options>"), "XL03000003", "true or false"),
    "an unknown option": (_query(options="<options><fast>true</fast></options>"), "XL03000003", "'fast' is not expected"),
    "csv": (_query(options="<options><returnformat>csv</returnformat></options>"), "XL03000003", "xml only"),
    "an empty orderby": (_query(order="<orderby/>"), "XL03000003", "at least one order"),
    "an order without field": (_query(order="<orderby><order><ascending/></order></orderby>"), "XL03000003", "one field"),
    "an order both ways": (
        _query(order="<orderby><order><field>RECORDNO</field><ascending/><descending/></order></orderby>"), "XL03000003", "at most one direction",
    ),
    "an order by an unknown field": (_query(order="<orderby><order><field>COLOUR</field></order></orderby>"), "XL03000010", "COLOUR"),
    "the sum of texts": (_query(select="<sum>RECORDID</sum>"), "XL03000006", "sum needs a number"),
}  # fmt: skip


@pytest.mark.parametrize(("query", "errorno", "text"), REFUSED.values(), ids=REFUSED.keys())
async def test_such_a_query_fails_as_a_whole(wired, query, errorno, text):
    async with wired() as wire:
        result = await wire.call(query)

    assert result.tag == ("response" if errorno == "XL03000003" else "result"), (
        "against the schema, all of it is refused"
    )
    assert "failure" in (result.findtext("status"), result.findtext("control/status")), etree.tostring(result)
    assert result.find("data") is None
    assert result.findtext("errormessage/error/errorno") == errorno
    assert text in result.findtext("errormessage/error/description2")


async def test_a_page_tells_its_place(wired):
    async with wired() as wire:
        result = await wire.call(_query(more="<pagesize>2</pagesize><offset>3</offset>"))

    data = result.find("data")
    assert dict(data.attrib) == {
        "listtype": "APBILL",
        "totalcount": "6",
        "offset": "3",
        "count": "2",
        "numremaining": "1",
    }
    assert [record.tag for record in data] == ["APBILL", "APBILL"]
    assert [record.findtext("RECORDNO") for record in data] == ["104", "105"]


async def test_an_empty_page_is_a_success(wired):
    async with wired() as wire:
        result = await wire.call(_query(_test("equalto", "RECORDNO", "5")))

    assert dict(result.find("data").attrib) == {
        "listtype": "APBILL", "totalcount": "0", "offset": "0", "count": "0", "numremaining": "0",
    }  # fmt: skip


async def test_a_page_past_the_end_is_empty(wired):
    async with wired() as wire:
        result = await wire.call(_query(more="<offset>60</offset>"))

    assert (result.find("data").get("count"), result.find("data").get("numremaining")) == ("0", "0")


async def test_a_page_holds_a_hundred_unless_told(wired, world, new_bill):
    async with wired() as wire:
        for record in range(1000, 1150):
            wire.simulator.add_bill(new_bill(record, f"N-{record}", "V-1", "Posted", "1", 5))
        plain = await wire.column(_query())
        large = await wire.column(_query(more="<pagesize>2000</pagesize>"))

    assert (len(plain), len(large)) == (100, 156)


async def test_without_orderby_the_order_differs_from_request_to_request(wired, new_bill):
    async with wired() as wire:
        for record in range(1000, 1040):
            wire.simulator.add_bill(new_bill(record, f"N-{record}", "V-1", "Posted", "1", 5))
        first = await wire.column(_query(order=""))
        second = await wire.column(_query(order=""))

    assert first != second
    assert sorted(first) == sorted(second)


async def test_equal_seeds_shuffle_equally(wired):
    orders = []
    for seed in (1, 1, 2):
        async with wired(seed=seed) as wire:
            orders.append([await wire.column(_query(order="")) for _ in range(5)])

    assert orders[0] == orders[1] != orders[2]


async def test_ties_of_an_order_that_is_not_unique_come_anyhow(wired, new_bill):
    by_date = "<orderby><order><field>WHENCREATED</field></order></orderby>"
    async with wired() as wire:
        for record in range(1000, 1040):
            wire.simulator.add_bill(new_bill(record, f"N-{record}", "V-1", "Posted", "1", 5))
        orders = [await wire.column(_query(order=by_date)) for _ in range(2)]

    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("order", "records"),
    [
        ("<order><field>RECORDNO</field><descending/></order>", [106, 105, 104, 103, 102, 101]),
        ("<order><field>VENDORID</field></order><order><field>RECORDNO</field><descending/></order>", [104, 102, 101, 106, 103, 105]),
        ("<order><field>WHENMODIFIED</field><ascending/></order>", [101, 102, 103, 104, 105, 106]),
        ("<order><field>WHENMODIFIED</field><descending/></order>", [106, 105, 104, 103, 102, 101]),
        ("<order><field>VENDOR.NAME</field></order><order><field>RECORDNO</field></order>", [105, 101, 102, 104, 103, 106]),
    ],
    ids=["descending", "two fields", "nulls last going up", "nulls first going down", "by a path, capitals first"],
)  # fmt: skip
async def test_orderby_arranges(wired, order, records):
    async with wired() as wire:
        found = await wire.column(_query(order=f"<orderby>{order}</orderby>"))

    assert found == [str(record) for record in records]


async def test_caseinsensitive_ignores_the_case_of_texts(wired):
    options = "<options><caseinsensitive>true</caseinsensitive></options>"
    async with wired() as wire:
        equal = await wire.column(_query(_test("equalto", "RECORDID", "INV-6"), options=options))
        like = await wire.column(_query(_test("like", "VENDOR.NAME", "ABALONE%"), options=options))

    assert (equal, like) == (["106"], ["103", "106"])


async def test_a_count_stands_alone(wired):
    async with wired() as wire:
        result = await wire.call(_query(select="<count>RECORDNO</count>", order=""))

    assert [(child.tag, child.text) for child in result.find("data/APBILL")] == [("COUNT.RECORDNO", "6")]


async def test_plain_fields_group_the_aggregates(wired):
    select = "<field>VENDORID</field><count>RECORDNO</count><sum>TRX_TOTALENTERED</sum><max>RECORDNO</max>"
    async with wired() as wire:
        result = await wire.call(_query(select=select, order=""))

    groups = sorted([child.text for child in record] for record in result.find("data"))
    assert groups == [["V-1", "3", "6042.9", "104"], ["V-2", "2", "16.99", "106"], ["V-3", "1", "200", "105"]]


async def test_groups_come_in_the_order_asked_for(wired):
    select = "<field>VENDORID</field><count>RECORDNO</count>"
    order = "<orderby><order><field>VENDORID</field><descending/></order></orderby>"
    async with wired() as wire:
        groups = await wire.column(_query(select=select, order=order), "VENDORID")

    assert groups == ["V-3", "V-2", "V-1"]


async def test_groups_come_anyhow_when_no_order_is_asked_for(wired):
    async with wired() as wire:
        question = _query(select="<field>RECORDID</field><count>RECORDNO</count>", order="")
        orders = {tuple(await wire.column(question, "RECORDID")) for _ in range(6)}

    assert len(orders) > 1


async def test_a_rate_has_as_many_digits_as_the_books_keep(wired):
    async with wired() as wire:
        rates = await wire.column(
            _query(_test("equalto", "RECORDNO", "105"), select="<field>EXCHANGE_RATE</field>"), "EXCHANGE_RATE"
        )

    assert rates == ["1.36986301369863"]


async def test_values_look_as_the_books_show_them(wired):
    names = [
        "RECORDNO",
        "RECORDID",
        "VENDORNAME",
        "STATE",
        "RAWSTATE",
        "WHENCREATED",
        "WHENPOSTED",
        "WHENMODIFIED",
        "AUWHENCREATED",
        "TRX_TOTALENTERED",
        "TRX_TOTALDUE",
        "CURRENCY",
        "ONHOLD",
        "MODULEKEY",
        "DOCNUMBER",
        "DESCRIPTION2",
        "VENDOR.TAXID",
    ]
    select = "".join(f"<field>{name}</field>" for name in names)
    async with wired() as wire:
        result = await wire.call(_query(_test("equalto", "RECORDNO", "102"), select=select))

    assert [(child.tag, child.text or "") for child in result.find("data/APBILL")] == [
        ("RECORDNO", "102"),
        ("RECORDID", "INV-2"),
        ("VENDORNAME", "Riverbend Produce"),
        ("STATE", "Paid"),
        ("RAWSTATE", "P"),
        ("WHENCREATED", "02/20/2026"),
        ("WHENPOSTED", "02/21/2026"),
        ("WHENMODIFIED", "03/01/2026 11:20:00"),
        ("AUWHENCREATED", "02/20/2026 12:00:00"),
        ("TRX_TOTALENTERED", "5900"),
        ("TRX_TOTALDUE", "0"),
        ("CURRENCY", "USD"),
        ("ONHOLD", "false"),
        ("MODULEKEY", "3.AP"),
        ("DOCNUMBER", ""),
        ("DESCRIPTION2", ""),
        ("VENDOR.TAXID", "12-3"),
    ]


async def test_names_are_taken_in_any_case_and_answered_in_capitals(wired):
    async with wired() as wire:
        result = await wire.call(_query(object="apbill", select="<field>recordNo</field><field>vendor.name</field>"))

    assert [child.tag for child in result.find("data/APBILL")] == ["RECORDNO", "VENDOR.NAME"]


async def test_children_come_in_any_order(wired):
    query = (
        "<query><select><field>RECORDNO</field></select><pagesize>5</pagesize><offset>0</offset><options/>"
        "<orderby><order><field>RECORDNO</field></order></orderby><filter><lessthan><value>103</value>"
        "<field>RECORDNO</field></lessthan></filter><docparid/><object>APBILL</object></query>"
    )
    async with wired() as wire:
        assert await wire.column(query) == ["101", "102"]


async def test_comments_are_no_children(wired):
    async with wired() as wire:
        assert await wire.column(_query("<!-- by key -->" + _test("equalto", "RECORDNO", "103"))) == ["103"]


async def test_bill_lines_hang_under_their_bill_and_mark_what_the_system_made(wired):
    names = ["RECORDKEY", "LINE_NO", "LINEITEM", "TRX_AMOUNT", "ENTRYDESCRIPTION", "APBILL.RECORDID"]
    select = "".join(f"<field>{name}</field>" for name in names)
    order = "<orderby><order><field>RECORDKEY</field></order><order><field>LINE_NO</field></order></orderby>"
    async with wired() as wire:
        result = await wire.call(
            _query(_test("in", "RECORDKEY", "101", "102"), object="APBILLITEM", select=select, order=order)
        )

    assert [[child.text for child in record] for record in result.find("data")] == [
        ["101", "1", "T", "100.5", "Crates", "INV-1"],
        ["101", "2", "F", "8.04", "Tax", "INV-1"],
        ["102", "1", "T", "5900", "goods of INV-2", "INV-2"],
    ]


async def test_a_generated_line_names_the_line_it_belongs_to(wired):
    select = "<field>RECORDNO</field><field>PARENTENTRY</field>"
    async with wired() as wire:
        result = await wire.call(_query(_test("equalto", "RECORDKEY", "101"), object="APBILLITEM", select=select))

    user, generated = result.find("data")
    assert user.findtext("PARENTENTRY") == ""
    assert generated.findtext("PARENTENTRY") == user.findtext("RECORDNO")


async def test_lines_of_private_bills_are_private(wired):
    async with wired() as wire:
        query = _query(
            _test("equalto", "RECORDKEY", "105"), object="APBILLITEM", select="<field>RECORDKEY</field>", options=""
        )
        hidden = await wire.column(query, "RECORDKEY")

    assert hidden == []


async def test_a_purchasing_document_names_its_bill_and_counts_lines_from_zero(wired):
    header = "<field>DOCID</field><field>PRRECORDKEY</field><field>CUSTVENDID</field><field>PONUMBER</field><field>TRX_TOTAL</field>"
    line = "<field>LINE_NO</field><field>UIQTY</field><field>UNIT</field><field>UIPRICE</field><field>TRX_VALUE</field><field>DOCHDRID</field>"
    async with wired() as wire:
        documents = await wire.call(_query(_test("equalto", "PRRECORDKEY", "104"), object="PODOCUMENT", select=header))
        entries = await wire.call(_query(_test("equalto", "DOCHDRNO", "901"), object="PODOCUMENTENTRY", select=line))

    assert [child.text for child in documents.find("data/PODOCUMENT")] == [
        "Vendor Invoice-VI-1",
        "104",
        "V-1",
        "PO-5",
        "42.4",
    ]
    assert [[child.text for child in record] for record in entries.find("data")] == [
        ["0", "2.5", "Case", "12", "30", "Vendor Invoice-VI-1"],
        ["1", "4", "Bunch", "3.1", "12.4", "Vendor Invoice-VI-1"],
    ]


async def test_a_vendor_shows_both_contacts_by_dotted_names(wired):
    names = "VENDORID STATUS DISPLAYCONTACT.CONTACTNAME DISPLAYCONTACT.MAILADDRESS.CITY PAYTO.MAILADDRESS.CITY RETURNTO.CONTACTNAME"
    select = "".join(f"<field>{name}</field>" for name in names.split())
    async with wired() as wire:
        result = await wire.call(_query(_test("equalto", "VENDORID", "V-1"), object="VENDOR", select=select))

    assert [child.text or "" for child in result.find("data/VENDOR")] == [
        "V-1",
        "active",
        "O'Hara, Pat",
        "Astoria",
        "Salem",
        "",
    ]


async def test_what_a_foreign_bill_is_worth_in_the_books_differs_from_its_face(wired):
    select = "<field>TRX_TOTALENTERED</field><field>TOTALENTERED</field><field>CURRENCY</field><field>BASECURR</field>"
    async with wired() as wire:
        result = await wire.call(_query(_test("equalto", "RECORDNO", "105"), select=select))

    face, worth, currency, base = [child.text for child in result.find("data/APBILL")]
    assert (face, currency, base) == ("200", "USD", "CAD")
    assert worth != face


async def test_a_company_in_another_zone_shows_changes_in_it_and_creation_in_utc(wired):
    select = "<field>WHENMODIFIED</field><field>AUWHENCREATED</field>"
    async with wired(zone_hours=-7) as wire:
        result = await wire.call(_query(_test("equalto", "WHENMODIFIED", "03/01/2026 04:10:00"), select=select))

    assert [child.text for child in result.find("data/APBILL")] == ["03/01/2026 04:10:00", "02/20/2026 12:00:00"]


async def test_a_company_without_a_field_fails_who_asks_for_it(wired):
    async with wired(hidden=frozenset({"APBILLITEM.CLASSID"})) as wire:
        result = await wire.call(_query(object="APBILLITEM", select="<field>CLASSID</field>"))

    assert result.findtext("errormessage/error/errorno") == "XL03000010"


async def test_a_field_that_lookup_tells_may_be_refused_all_the_same(wired):
    async with wired(unqueryable=frozenset({"APBILL.TERMNAME"})) as wire:
        described = await wire.call("<lookup><object>APBILL</object></lookup>")
        selected = await wire.call(_query(select="<field>RECORDNO</field><field>TERMNAME</field>"))
        filtered = await wire.call(_query(_test("equalto", "TERMNAME", "Net 30")))
        read = await wire.call("<read><object>APBILL</object><keys>101</keys><fields>TERMNAME</fields></read>")

    assert "TERMNAME" in {field.findtext("ID") for field in described.iter("Field")}
    for refused in (selected, filtered):
        assert "cannot be queried: TERMNAME" in refused.findtext("errormessage/error/description2")
    assert read.findtext("data/APBILL/TERMNAME") == "Net 30"


async def test_entities_and_terms_can_be_listed(wired):
    async with wired() as wire:
        entities = await wire.column(_query(object="LOCATIONENTITY", select="<field>LOCATIONID</field>"), "LOCATIONID")
        terms = await wire.column(_query(object="APTERM", select="<field>NAME</field>"), "NAME")

    assert (entities, terms) == (["WEST", "NORTH"], ["Net 30"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Fish & Chips <b>", "Fish & Chips <b>"),
        ("a ]]> b", "a ]]> b"),
        ("bell\x07 and null\x00", "bell and null"),
        ("\ufffe and \ud800", " and "),
        ("two\nlines\r\n", "two\nlines\r\n"),
        ("100% of %s", "100% of %s"),
        ("Crème 𝄞 'brûlée'", "Crème 𝄞 'brûlée'"),
    ],
)
async def test_texts_arrive_as_they_are_but_for_what_xml_cannot_carry(wired, new_bill, text, shown):
    select = "<field>DESCRIPTION</field>"
    async with wired() as wire:
        wire.simulator.add_bill(new_bill(150, "ODD", "V-1", "Posted", "3", 5, description=text))
        queried = await wire.column(_query(_test("equalto", "RECORDNO", "150"), select=select), "DESCRIPTION")
        read = await wire.call("<read><object>APBILL</object><keys>150</keys><fields>DESCRIPTION</fields></read>")

    assert queried == [shown]
    assert read.findtext("data/APBILL/DESCRIPTION") == shown


async def test_a_hierarchy_is_crossed_once(wired):
    create = (
        "<create><DEPARTMENT><DEPARTMENTID>D-1</DEPARTMENTID><TITLE>Dairy</TITLE></DEPARTMENT>"
        "<DEPARTMENT><DEPARTMENTID>D-2</DEPARTMENTID><TITLE>Milk</TITLE><PARENTID>D-1</PARENTID></DEPARTMENT></create>"
    )
    ask = "<query><object>DEPARTMENT</object><select><field>{}</field></select><orderby><order><field>RECORDNO</field></order></orderby></query>"
    async with wired() as wire:
        await wire.call(create)
        once = await wire.column(ask.format("PARENT.TITLE"), "PARENT.TITLE")
        twice = await wire.call(ask.format("PARENT.PARENT.TITLE"))
        described = await wire.call("<lookup><object>DEPARTMENT</object></lookup>")

    assert once == ["", "Dairy"]
    assert twice.findtext("errormessage/error/errorno") == "XL03000010"
    assert described.findtext(".//Relationship/OBJECTPATH") == "PARENT"


async def test_an_adjustment_is_used_up_by_payments_that_were_not_voided(wired, world):
    at = world.now
    credit = SeedAdjustment(
        record=1, number="CM-1", vendor="V-1", date=at.date(), total=Decimal(-9), created=at, modified=at
    )

    def payment(record, state, credited):
        detail = SeedPaymentDetail(record=record, bill=102, amount=Decimal(1), adjustment=1, credited=Decimal(credited))
        return SeedPayment(
            record=record, number="", vendor="V-1", method="ACH", state=state, date=at.date(), total=Decimal(1), details=(detail,),
            created=at, modified=at,
        )  # fmt: skip

    fields = ("RECORDID", "STATE", "TRX_TOTALENTERED", "TRX_TOTALDUE")
    select = "".join(f"<field>{name}</field>" for name in fields)
    filter = "<filter><in><field>STATE</field><value>Posted</value><value>Partially Applied</value><value>Applied</value></in></filter>"
    seen = []
    async with wired(of=msgspec.structs.replace(world, adjustments=(credit,))) as wire:
        for record, state, credited in ((1, "Voided", 9), (2, "Complete", 4), (3, "Complete", 5)):
            wire.simulator.put_payment(payment(record, state, credited))
            result = await wire.call(f"<query><object>APADJUSTMENT</object><select>{select}</select>{filter}</query>")
            seen.append([result.find("data")[0].findtext(name) for name in fields])

    assert seen == [
        ["CM-1", "Posted", "-9", "-9"],
        ["CM-1", "Partially Applied", "-9", "-5"],
        ["CM-1", "Applied", "-9", "0"],
    ]
