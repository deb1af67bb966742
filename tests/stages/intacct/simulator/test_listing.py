"""The legacy lists, and attachments, which only they and their own functions reach."""

from __future__ import annotations

import pytest
from lxml import etree

from stages.intacct.simulator.listing import LISTS

FILE = "<attachment><attachmentname>{}</attachmentname><attachmenttype>txt</attachmenttype><attachmentdata>{}</attachmentdata></attachment>"
DOCUMENT = (
    "<create_supdoc><supdocid>DOC-1</supdocid><supdocname>Invoice</supdocname><supdocfoldername>Bills</supdocfoldername>"
    f"<attachments>{FILE.format('page', 'aGVsbG8=')}</attachments></create_supdoc>"
)


def _expression(field, operator, value):
    operator = operator.replace("<", "&lt;").replace(">", "&gt;")
    return f"<expression><field>{field}</field><operator>{operator}</operator><value>{value}</value></expression>"


def _found(result, name):
    assert result.findtext("status") == "success", etree.tostring(result)
    return result.findall(f"data/{name}")


async def test_a_list_says_where_it_begins_and_ends_and_how_many_there_are(wired):
    function = '<get_list object="vendor" start="1" maxitems="1" showprivate="true"><sorts><sortfield order="desc">vendorid</sortfield></sorts></get_list>'
    async with wired() as wire:
        result = await wire.call(function)

    assert dict(result.find("listtype").attrib) == {"start": "1", "end": "1", "total": "3"}
    assert result.findtext("listtype") == "vendor"
    assert result.find("data").attrib == {}
    assert [each.findtext("vendorid") for each in _found(result, "vendor")] == ["V-2"]


async def test_a_vendor_of_a_list_has_its_contacts_nested(wired):
    async with wired() as wire:
        (vendor,) = _found(await wire.call('<get object="vendor" key="V-1"/>'), "vendor")

    assert [child.tag for child in vendor][:3] == ["recordno", "vendorid", "name"]
    assert vendor.findtext("contactinfo/contact/contactname") == "O'Hara, Pat"
    assert vendor.findtext("payto/contact/mailaddress/city") == "Salem"


async def test_a_bill_of_a_list_has_its_dates_in_parts_and_its_lines(wired):
    async with wired() as wire:
        (bill,) = _found(await wire.call('<get object="bill" key="101"/>'), "bill")

    assert [child.text for child in bill.find("datecreated")] == ["2026", "02", "20"]
    assert (bill.findtext("billno"), bill.findtext("totalamount"), len(bill.find("billitems"))) == ("INV-1", "100.5", 2)


FILTERS = {
    "equal": (_expression("vendorid", "=", "V-1"), ["INV-1", "INV-2", "INV-4"]),
    "unequal": (_expression("vendorid", "!=", "V-1"), ["INV-3", "inv-6"]),
    "like": (_expression("billno", "like", "INV-%"), ["INV-1", "INV-2", "INV-3", "INV-4"]),
    "an amount": (_expression("totalamount", ">", "100"), ["INV-1", "INV-2"]),
    "a date": (_expression("datecreated", "<=", "02/20/2026"), ["INV-1", "INV-2", "INV-3", "INV-4", "inv-6"]),
    "null": (_expression("whenmodified", "is null", ""), ["inv-6"]),
    "both": (
        f'<logical logical_operator="and">{_expression("state", "=", "Posted")}{_expression("vendorid", "=", "V-1")}</logical>',
        ["INV-1", "INV-4"],
    ),
    "either": (
        f'<logical logical_operator="or">{_expression("billno", "=", "INV-2")}'
        f'<logical logical_operator="and">{_expression("billno", "=", "INV-3")}</logical></logical>',
        ["INV-2", "INV-3"],
    ),
}


@pytest.mark.parametrize(("filter", "numbers"), FILTERS.values(), ids=FILTERS.keys())
async def test_a_list_is_filtered(wired, filter, numbers):
    async with wired() as wire:
        result = await wire.call(f'<get_list object="bill"><filter>{filter}</filter></get_list>')

    assert sorted(each.findtext("billno") for each in _found(result, "bill")) == sorted(numbers)


async def test_a_list_has_the_fields_that_are_asked_for(wired):
    async with wired() as wire:
        result = await wire.call(
            '<get_list object="vendor"><fields><field>vendorid</field><field>contactinfo</field></fields></get_list>'
        )

    assert {child.tag for each in _found(result, "vendor") for child in each} == {"vendorid", "contactinfo"}


@pytest.mark.parametrize("name", LISTS)
async def test_every_list_finds_each_of_its_records_by_its_key(wired, name):
    key = next(legacy for legacy, field in LISTS[name].fields if field == LISTS[name].key)
    async with wired() as wire:
        await wire.call("<create><CLASS><CLASSID>C</CLASSID><NAME>C</NAME></CLASS></create>")
        records = _found(await wire.call(f'<get_list object="{name}" showprivate="true"/>'), name)
        for record in records:
            function = etree.Element("get", object=name, key=record.findtext(key))
            (again,) = _found(await wire.call(etree.tostring(function, encoding="unicode")), name)
            assert etree.tostring(again) == etree.tostring(record)

    if name in ("vendor", "contact", "bill", "potransaction", "apterm", "class", "locationentity"):
        assert records


REFUSED = {
    "an unknown list": ('<get_list object="widget"/>', "XL03000003"),
    "an unknown operator": (
        f'<get_list object="bill"><filter>{_expression("billno", "~", "1")}</filter></get_list>',
        "XL03000003",
    ),
    "no operator": (
        "<get_list object='bill'><filter><expression><field>billno</field></expression></filter></get_list>",
        "XL03000003",
    ),
    "an unknown field": (
        f'<get_list object="bill"><filter>{_expression("nope", "=", "1")}</filter></get_list>',
        "BL01001973",
    ),
    "an amount that is none": (
        f'<get_list object="bill"><filter>{_expression("totalamount", "=", "x")}</filter></get_list>',
        "BL01001973",
    ),
    "a start that is none": ('<get_list object="bill" start="x"/>', "XL03000003"),
    "a vendor that is not there": ('<get object="vendor" key="11"/>', "BL01001973"),
    "an attachment that is not there": ('<get object="supdoc" key="7"/>', "BL01001973"),
    "an attachment without an id": (
        "<create_supdoc><supdocfoldername>Bills</supdocfoldername></create_supdoc>",
        "BL03000018",
    ),
    "a folder that is not there": (DOCUMENT.replace(">Bills<", ">None<"), "BL01001973"),
    "data that is no base64": (DOCUMENT.replace("aGVsbG8=", "hello!"), "BL01001973"),
    "a file without a type": (DOCUMENT.replace("<attachmenttype>txt</attachmenttype>", ""), "XL03000003"),
}


@pytest.mark.parametrize(("function", "errorno"), REFUSED.values(), ids=REFUSED.keys())
async def test_this_is_refused(wired, function, errorno):
    async with wired() as wire:
        result = await wire.call(function)
        left = await wire.call('<get_list object="supdoc"/>')

    assert result.findtext("errormessage/error/errorno") == errorno, etree.tostring(result)
    assert _found(left, "supdoc") == []


async def test_an_object_that_is_denied_is_not_listed_either(wired):
    async with wired(denied=frozenset({"VENDOR"})) as wire:
        result = await wire.call('<get_list object="vendor"/>')

    assert result.findtext("errormessage/error/errorno") == "PL04000005"


async def test_an_attachment_is_created_added_to_and_hung_on_a_bill(wired):
    more = f"<update_supdoc><supdocid>DOC-1</supdocid><attachments>{FILE.format('second', 'eA==')}</attachments></update_supdoc>"
    bill = "<update><APBILL><RECORDNO>101</RECORDNO><SUPDOCID>DOC-1</SUPDOCID></APBILL></update>"
    async with wired() as wire:
        made = await wire.call(DOCUMENT)
        twice = await wire.call(DOCUMENT)
        for function in (more, bill):
            assert (await wire.call(function)).findtext("status") == "success"
        filter = f"<filter>{_expression('supdocid', '=', 'DOC-1')}</filter>"
        (document,) = _found(await wire.call(f'<get_list object="supdoc">{filter}</get_list>'), "supdoc")
        named = await wire.column(
            "<query><object>APBILL</object><select><field>RECORDNO</field></select><filter><equalto><field>SUPDOCID</field>"
            "<value>DOC-1</value></equalto></filter></query>"
        )

    assert made.findtext("key") == "DOC-1"
    assert twice.findtext("errormessage/error/errorno") == "BL34000061"
    assert [child.tag for child in document] == [
        *("recordno", "supdocid", "supdocname", "folder", "description", "creationdate", "createdby", "attachments"),
    ]
    assert document.findtext("creationdate") == "03/01/2026"
    assert [
        (each.findtext("attachmentname"), each.findtext("attachmentdata")) for each in document.find("attachments")
    ] == [
        ("page", "aGVsbG8="),
        ("second", "eA=="),
    ]
    assert named == ["101"]


async def test_folders_are_created_listed_and_deleted_when_they_are_empty(wired):
    create = "<create_supdocfolder><supdocfoldername>Scans</supdocfoldername><supdocparentfoldername>Bills</supdocparentfoldername></create_supdocfolder>"
    async with wired() as wire:
        await wire.call(create)
        await wire.call(DOCUMENT)
        full = await wire.call('<delete_supdocfolder key="Bills"/>')
        folders = _found(await wire.call('<get_list object="supdocfolder"/>'), "supdocfolder")
        for function in ('<delete_supdoc key="DOC-1"/>', '<delete_supdocfolder key="Scans"/>'):
            assert (await wire.call(function)).findtext("status") == "success"
        left = _found(await wire.call('<get_list object="supdocfolder"/>'), "supdocfolder")

    assert full.findtext("status") == "failure"
    assert sorted((each.findtext("name"), each.findtext("parentfolder")) for each in folders) == [
        ("Bills", ""),
        ("Scans", "Bills"),
    ]
    assert [each.findtext("name") for each in left] == ["Bills"]


async def test_a_transaction_undoes_what_was_done_to_attachments(wired):
    functions = [
        DOCUMENT,
        '<delete_supdoc key="OLD"/>',
        "<update_supdoc><supdocid>OLD</supdocid><supdocname>x</supdocname></update_supdoc>",
    ]
    culprit = '<function controlid="b"><update><APBILL><RECORDNO>9</RECORDNO></APBILL></update></function>'
    async with wired() as wire:
        await wire.call(DOCUMENT.replace("DOC-1", "OLD"))
        before = etree.tostring((await wire.call('<get_list object="supdoc"/>')).find("data"))
        for function in functions:
            await wire.ask(f'<function controlid="a">{function}</function>{culprit}', transaction="true")
        after = etree.tostring((await wire.call('<get_list object="supdoc"/>')).find("data"))

    assert before == after
