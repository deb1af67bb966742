"""What a client can write: vendors and bills, one by one or several, in the generic and the legacy form."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from lxml import etree

VENDOR = "<create><VENDOR><VENDORID>V-9</VENDORID><NAME>New &amp; Co</NAME>{more}</VENDOR></create>"
BILL = (
    "<create><APBILL><VENDORID>V-1</VENDORID><WHENCREATED>03/01/2026</WHENCREATED><WHENDUE>03/31/2026</WHENDUE>"
    "<RECORDID>N-1</RECORDID><APBILLITEMS>"
    "<APBILLITEM><ACCOUNTNO>5000</ACCOUNTNO><TRX_AMOUNT>12.50</TRX_AMOUNT><ENTRYDESCRIPTION>Figs</ENTRYDESCRIPTION></APBILLITEM>"
    "<APBILLITEM><ACCOUNTNO>5010</ACCOUNTNO><TRX_AMOUNT>-2</TRX_AMOUNT></APBILLITEM></APBILLITEMS></APBILL></create>"
)
LEGACY_BILL = (
    "<create_bill><vendorid>V-1</vendorid><datecreated><year>2026</year><month>03</month><day>01</day></datecreated>"
    "<datedue><year>2026</year><month>03</month><day>31</day></datedue><billno>B-1</billno><billitems>"
    "<lineitem><glaccountno>5000</glaccountno><amount>12.5</amount><memo>Figs</memo></lineitem></billitems></create_bill>"
)


def _read(object, key, *fields):
    select = "".join(f"<field>{field}</field>" for field in fields)
    return (
        f"<query><object>{object}</object><select>{select}</select>"
        f"<filter><equalto><field>RECORDNO</field><value>{key}</value></equalto></filter></query>"
    )


def _texts(result):
    assert result.findtext("status") == "success", etree.tostring(result)
    return [[field.text for field in record] for record in result.find("data")]


async def test_a_created_vendor_is_named_in_lower_case_and_found(wired):
    async with wired() as wire:
        result = await wire.call(
            VENDOR.format(more="<TAXID>77</TAXID><DISPLAYCONTACT><PRINTAS>N</PRINTAS></DISPLAYCONTACT>")
        )
        record = result.findtext("data/vendor/RECORDNO")
        found = await wire.call(
            _read("VENDOR", record, "VENDORID", "NAME", "TAXID", "DISPLAYCONTACT.PRINTAS", "STATUS")
        )

    assert dict(result.find("data").attrib) == {"listtype": "objects", "count": "1"}
    assert result.findtext("data/vendor/VENDORID") == "V-9"
    assert _texts(found) == [["V-9", "New & Co", "77", "N", "active"]]


async def test_an_updated_vendor_keeps_what_was_not_sent(wired):
    async with wired() as wire:
        function = "<update><VENDOR><VENDORID>V-1</VENDORID><DISPLAYCONTACT/><ONHOLD>true</ONHOLD></VENDOR></update>"
        result = await wire.call(function)
        found = await wire.call(_read("VENDOR", 11, "NAME", "ONHOLD", "WHENMODIFIED", "DISPLAYCONTACT.CONTACTNAME"))

    assert result.findtext("data/vendor/RECORDNO") == "11"
    assert _texts(found) == [["Riverbend Produce", "true", "03/01/2026 12:00:00", "O'Hara, Pat"]]


async def test_a_custom_field_marks_a_bill(wired):
    function = "<update><APBILL><RECORDNO>101</RECORDNO><EDI_STATUS>sent</EDI_STATUS></APBILL></update>"
    async with wired(custom=frozenset({"APBILL.EDI_STATUS"})) as wire:
        before = await wire.call(_read("APBILL", 101, "EDI_STATUS"))
        await wire.call(function)
        after = await wire.call(_read("APBILL", 101, "EDI_STATUS"))
        marked = await wire.column(
            "<query><object>APBILL</object><select><field>RECORDNO</field></select><filter><equalto><field>EDI_STATUS</field>"
            "<value>sent</value></equalto></filter></query>"
        )
        described = await wire.call("<lookup><object>APBILL</object></lookup>")

    custom = [field.findtext("ID") for field in described.iter("Field") if field.findtext("ISCUSTOM") == "true"]
    assert (_texts(before), _texts(after), marked, custom) == ([[None]], [["sent"]], ["101"], ["EDI_STATUS"])


async def test_a_created_bill_has_its_lines_and_their_sum(wired):
    async with wired() as wire:
        result = await wire.call(BILL)
        bill = wire.simulator.bills()[-1]

    assert result.findtext("data/apbill/RECORDNO") == str(bill.record) == "107"
    assert (bill.number, bill.vendor, bill.state, bill.total) == ("N-1", "V-1", "Posted", Decimal("10.50"))
    assert (bill.date, bill.due) == (date(2026, 3, 1), date(2026, 3, 31))
    assert [(line.number, line.account, line.description) for line in bill.lines] == [
        (1, "5000", "Figs"),
        (2, "5010", ""),
    ]


async def test_a_legacy_bill_answers_with_its_key_alone(wired):
    async with wired() as wire:
        result = await wire.call(LEGACY_BILL)
        bill = wire.simulator.bills()[-1]

    assert [child.tag for child in result] == ["status", "function", "controlid", "key"]
    assert (result.findtext("key"), bill.number, bill.total) == ("107", "B-1", Decimal("12.5"))


async def test_a_bill_updated_keeps_the_records_of_its_lines(wired):
    lines = "<query><object>APBILLITEM</object><select><field>RECORDNO</field></select><filter><equalto><field>RECORDKEY</field><value>101</value></equalto></filter><orderby><order><field>RECORDNO</field></order></orderby></query>"
    async with wired() as wire:
        before = await wire.column(lines)
        result = await wire.call('<update_bill key="101"><description>new</description></update_bill>')
        after = await wire.column(lines)

    assert result.findtext("status") == "success"
    assert before == after


@pytest.mark.parametrize(
    ("function", "gone"),
    [
        ("<delete><object>APBILL</object><keys>101,103</keys></delete>", ["101", "103"]),
        ('<delete_bill key="103"/>', ["103"]),
    ],
)
async def test_deleted_bills_are_in_the_audit_history_as_done_by_the_api(wired, function, gone):
    audit = "<query><object>AUDITHISTORY</object><select><field>OBJECTKEY</field><field>SOURCE</field></select><orderby><order><field>ID</field></order></orderby></query>"
    async with wired() as wire:
        result = await wire.call(function)
        rows = _texts(await wire.call(audit))
        left = [str(bill.record) for bill in wire.simulator.bills()]

    assert result.findtext("status") == "success"
    assert result.find("data") is None
    assert rows == [[key, "api"] for key in gone]
    assert not set(gone) & set(left)


async def test_a_vendor_without_bills_can_be_deleted(wired):
    async with wired() as wire:
        await wire.call(VENDOR.format(more=""))
        result = await wire.call('<delete_vendor vendorid="V-9"/>')
        found = await wire.column(
            "<query><object>VENDOR</object><select><field>VENDORID</field></select></query>", "VENDORID"
        )

    assert result.findtext("status") == "success"
    assert "V-9" not in found


async def test_accounts_and_dimensions_can_be_created_saved_and_deleted(wired):
    create = (
        "<create><DEPARTMENT><DEPARTMENTID>D-1</DEPARTMENTID><TITLE>Dairy</TITLE></DEPARTMENT>"
        "<DEPARTMENT><DEPARTMENTID>D-2</DEPARTMENTID><TITLE>Milk</TITLE><PARENTID>D-1</PARENTID></DEPARTMENT></create>"
    )
    update = "<update><DEPARTMENT><DEPARTMENTID>D-2</DEPARTMENTID><STATUS>inactive</STATUS><CUSTTITLE>M</CUSTTITLE></DEPARTMENT></update>"
    ask = "<query><object>DEPARTMENT</object><select>{}</select><orderby><order><field>RECORDNO</field></order></orderby></query>"
    select = "".join(
        f"<field>{name}</field>" for name in ("DEPARTMENTID", "TITLE", "PARENTNAME", "STATUS", "CUSTTITLE")
    )
    async with wired() as wire:
        created = await wire.call(create)
        updated = await wire.call(update)
        rows = _texts(await wire.call(ask.format(select)))
        record = created.findall("data/department")[1].findtext("RECORDNO")
        deleted = await wire.call(f"<delete><object>DEPARTMENT</object><keys>{record}</keys></delete>")
        left = _texts(await wire.call(ask.format("<field>DEPARTMENTID</field>")))

    assert [each.findtext("DEPARTMENTID") for each in created.find("data")] == ["D-1", "D-2"]
    assert updated.findtext("data/department/DEPARTMENTID") == "D-2"
    assert rows == [["D-1", "Dairy", None, "active", None], ["D-2", "Milk", "Dairy", "inactive", "M"]]
    assert (deleted.findtext("status"), left) == ("success", [["D-1"]])


async def test_a_business_key_is_no_record_number(wired):
    async with wired() as wire:
        by_key = await wire.call("<update><VENDOR><VENDORID>11</VENDORID><NAME>x</NAME></VENDOR></update>")
        legacy = await wire.call('<delete_vendor vendorid="11"/>')
        by_record = await wire.call("<update><VENDOR><RECORDNO>V-1</RECORDNO><NAME>x</NAME></VENDOR></update>")

    assert [each.findtext("status") for each in (by_key, legacy, by_record)] == ["failure"] * 3


REFUSED = {
    "a key that is taken": (VENDOR.format(more="").replace("V-9", "V-1"), ["BL34000061", "BL01001973"]),
    "a name missing": ("<create><VENDOR><VENDORID>V-9</VENDORID></VENDOR></create>", ["BL03000018", "BL01001973"]),
    "a field that is not there": (VENDOR.format(more="<COLOUR>red</COLOUR>"), ["BL01001973"]),
    "a label that is no value": (VENDOR.format(more="<STATUS>T</STATUS>"), ["BL01001973"]),
    "a field that cannot be set": (VENDOR.format(more="<TOTALDUE>1</TOTALDUE>"), ["BL01001973"]),
    "a bill without lines": (BILL[: BILL.index("<APBILLITEMS>")] + "</APBILL></create>", ["BL03000018", "BL01001973"]),
    "a bill of nobody": (BILL.replace("V-1", "V-0"), ["BL01001973"]),
    "a line without an amount": (BILL.replace("<TRX_AMOUNT>-2</TRX_AMOUNT>", ""), ["BL03000018", "BL01001973"]),
    "an amount that is none": (BILL.replace("-2<", "two<"), ["BL01001973"]),
    "another object": ("<create><GLBATCH><JOURNAL>GJ</JOURNAL></GLBATCH></create>", ["BL01001973"]),
    "nothing to create": ("<create/>", ["XL03000003"]),
    "deleting what is paid": ("<delete><object>APBILL</object><keys>102</keys></delete>", ["BL03002129"]),
    "deleting a vendor with bills": ('<delete_vendor vendorid="V-1"/>', ["BL01001973"]),
    "deleting what is not there": ("<delete><object>APBILL</object><keys>9</keys></delete>", ["BL01001973"]),
    "legacy children out of order": (
        LEGACY_BILL.replace("<billno>B-1</billno>", "").replace("<vendorid>", "<billno>B-1</billno><vendorid>"),
        ["XL03000003"],
    ),
    "a legacy date in one": (
        LEGACY_BILL.replace("<year>2026</year><month>03</month><day>01</day>", "<day>1</day>"),
        ["XL03000003"],
    ),
}


@pytest.mark.parametrize(("function", "errornos"), REFUSED.values(), ids=REFUSED.keys())
async def test_such_a_write_is_refused_and_changes_nothing(wired, function, errornos):
    async with wired() as wire:
        before = wire.simulator.bills()
        result = await wire.call(function)
        after = wire.simulator.bills()

    assert [error.findtext("errorno") for error in result.iter("error")] == errornos
    assert before == after


async def test_what_was_done_before_a_failure_counts_as_billed(wired):
    two = VENDOR.format(more="").replace(
        "</create>", "<VENDOR><VENDORID>V-1</VENDORID><NAME>Twice</NAME></VENDOR></create>"
    )
    async with wired() as wire:
        await wire.call(two)
        created = wire.simulator.counts.billable
        await wire.call("<delete><object>APBILL</object><keys>101,102</keys></delete>")

    assert (created, wire.simulator.counts.billable) == (1, 2)


async def test_a_create_that_made_nothing_says_so(wired):
    async with wired() as wire:
        result = await wire.call(VENDOR.format(more="").replace("V-9", "V-1"))

    assert dict(result.find("data").attrib) == {"listtype": "objects", "count": "0"}


async def test_what_was_created_before_a_failure_is_reported_with_it(wired):
    two = VENDOR.format(more="").replace(
        "</create>", "<VENDOR><VENDORID>V-1</VENDORID><NAME>Twice</NAME></VENDOR></create>"
    )
    async with wired() as wire:
        result = await wire.call(two)
        found = await wire.column(
            "<query><object>VENDOR</object><select><field>VENDORID</field></select></query>", "VENDORID"
        )

    assert result.findtext("status") == "failure"
    assert result.findtext("data/vendor/VENDORID") == "V-9"
    assert result.findtext("errormessage/error/errorno") == "BL34000061"
    assert "V-9" in found


@pytest.mark.parametrize(
    "function",
    [
        VENDOR.format(more=""),
        BILL,
        LEGACY_BILL,
        "<update><APBILL><RECORDNO>101</RECORDNO><DESCRIPTION>x</DESCRIPTION><SUPDOCID>S</SUPDOCID></APBILL></update>",
        "<update><VENDOR><VENDORID>V-1</VENDORID><NAME>x</NAME><COMMENTS>y</COMMENTS></VENDOR></update>",
        "<delete><object>APBILL</object><keys>101</keys></delete>",
        VENDOR.format(more="").replace(
            "</create>", "<VENDOR><VENDORID>V-1</VENDORID><NAME>Twice</NAME></VENDOR></create>"
        ),
        "<delete><object>APBILL</object><keys>101,102</keys></delete>",
        "<create><CLASS><CLASSID>C</CLASSID><NAME>C</NAME></CLASS></create>",
    ],
)
async def test_a_transaction_undoes_every_write(wired, function):
    everything = [
        f"<readByQuery><object>{object}</object><fields>*</fields><query>RECORDNO &gt; 0</query></readByQuery>"
        for object in ("VENDOR", "APBILL", "CLASS")
    ]
    everything.append("<query><object>AUDITHISTORY</object><select><field>ID</field></select></query>")

    def rows(result):
        return sorted([field.text or "" for field in record] for record in result.find("data"))

    async with wired() as wire:
        before = [rows(await wire.call(each)) for each in everything]
        culprit = '<function controlid="b"><update><APBILL><RECORDNO>9</RECORDNO></APBILL></update></function>'
        reply = await wire.ask(f'<function controlid="a">{function}</function>{culprit}', transaction="true")
        after = [rows(await wire.call(each)) for each in everything]

    assert "success" not in [result.findtext("status") for result in reply.iter("result")]
    assert before == after


async def test_each_write_counts_as_a_transaction(wired):
    async with wired() as wire:
        await wire.sign_in()
        for function in (
            VENDOR.format(more=""),
            BILL,
            LEGACY_BILL,
            "<read><object>APBILL</object><keys>1</keys></read>",
        ):
            await wire.call(function)

    assert wire.simulator.counts.billable == 3


async def test_each_record_of_one_function_counts(wired):
    vendors = "".join(f"<VENDOR><VENDORID>V-{number}</VENDORID><NAME>N</NAME></VENDOR>" for number in (8, 9))
    async with wired() as wire:
        await wire.call(f"<create>{vendors}</create>")
        await wire.call("<delete><object>APBILL</object><keys>101,103</keys></delete>")
    assert wire.simulator.counts.billable == 4
