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


CONTACT = (
    "<create><CONTACT><CONTACTNAME>New, Pat</CONTACTNAME><PRINTAS>Pat New</PRINTAS><PHONE1>555</PHONE1>"
    "<MAILADDRESS><CITY>Salem</CITY></MAILADDRESS><FAX>1</FAX></CONTACT></create>"
)
ITEM = "<create><ITEM><ITEMID>LIME</ITEMID><NAME>Limes</NAME></ITEM><ITEM><ITEMID>MINT</ITEMID><NAME>Mint</NAME></ITEM></create>"
REFERENCE = (
    "<create><ITEMCROSSREF><REFTYPE>Vendor</REFTYPE><ITEMID>LIME</ITEMID><VENDORID>V-1</VENDORID><ITEMALIASID>L-77</ITEMALIASID>"
    "</ITEMCROSSREF></create>"
)
DATE = "<year>2026</year><month>03</month><day>01</day>"
PURCHASE = (
    f"<create_potransaction><transactiontype>{{kind}}</transactiontype><datecreated>{DATE}</datecreated>{{more}}"
    "<vendorid>V-1</vendorid><documentno>77</documentno><vendordocno>RB-9</vendordocno>"
    f"<datedue>{DATE}</datedue><returnto><contactname/></returnto><payto><contactname/></payto><potransitems>"
    "<potransitem><itemid>LIME</itemid><itemaliasid>L-77</itemaliasid><quantity>2.5</quantity><unit>Case</unit><price>12</price></potransitem>"
    "<potransitem><itemid>MINT</itemid><itemdesc>Mint, fresh</itemdesc><quantity>4</quantity><price>3.1</price></potransitem></potransitems>"
    "<subtotals><subtotal><description>Freight</description><absval>5</absval></subtotal></subtotals></create_potransaction>"
)
PURCHASE_UPDATE = (
    '<update_potransaction key="Vendor Invoice-VI-1"><updatepotransitems><updatepotransitem line_num="1"><quantity>3</quantity>'
    "</updatepotransitem><potransitem><itemid>MINT</itemid><quantity>1</quantity><price>1</price></potransitem></updatepotransitems>"
    "</update_potransaction>"
)
PAYMENT = (
    "<create><APPYMT><PAYMENTMETHOD>{method}</PAYMENTMETHOD><FINANCIALENTITY>BANK-USD</FINANCIALENTITY><VENDORID>V-1</VENDORID>"
    "<PAYMENTDATE>03/01/2026</PAYMENTDATE><APPYMTDETAILS><APPYMTDETAIL><RECORDKEY>101</RECORDKEY><TRX_PAYMENTAMOUNT>100.50"
    "</TRX_PAYMENTAMOUNT></APPYMTDETAIL></APPYMTDETAILS></APPYMT></create>"
).replace("{method}", "ACH")


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
        "<update><APBILL><RECORDNO>101</RECORDNO><DESCRIPTION>x</DESCRIPTION><DESCRIPTION2>y</DESCRIPTION2></APBILL></update>",
        "<update><VENDOR><VENDORID>V-1</VENDORID><NAME>x</NAME><COMMENTS>y</COMMENTS></VENDOR></update>",
        "<delete><object>APBILL</object><keys>101</keys></delete>",
        VENDOR.format(more="").replace(
            "</create>", "<VENDOR><VENDORID>V-1</VENDORID><NAME>Twice</NAME></VENDOR></create>"
        ),
        "<delete><object>APBILL</object><keys>101,102</keys></delete>",
        "<create><CLASS><CLASSID>C</CLASSID><NAME>C</NAME></CLASS></create>",
        CONTACT,
        '<update_contact contactname="O\'Hara, Pat"><phone1>1</phone1></update_contact>',
        "<update><CONTACT><CONTACTNAME>Riverbend Remit</CONTACTNAME><FAX>2</FAX></CONTACT></update>",
        VENDOR.format(more="<DISPLAYCONTACT><PHONE1>3</PHONE1></DISPLAYCONTACT>"),
        PURCHASE.format(kind="Vendor Invoice", more=""),
        PURCHASE.format(kind="Purchase Order", more="<createdfrom>Vendor Invoice-VI-1</createdfrom>"),
        PURCHASE_UPDATE,
        '<delete_potransaction key="Vendor Invoice-VI-1"/>',
        REFERENCE,
        '<reverse_bill key="101"/>',
        '<update_bill key="103"><updatebillitems><updatelineitem line_num="1"><amount>8</amount></updatelineitem></updatebillitems></update_bill>',
        PAYMENT,
    ],
)
async def test_a_transaction_undoes_every_write(wired, function):
    everything = [
        f"<readByQuery><object>{object}</object><fields>*</fields><query>RECORDNO &gt; 0</query></readByQuery>"
        for object in (
            *(
                "VENDOR",
                "CONTACT",
                "APBILL",
                "APBILLITEM",
                "CLASS",
                "PODOCUMENT",
                "PODOCUMENTENTRY",
                "ITEMCROSSREF",
                "APPYMT",
            ),
            "APPYMTDETAIL",
        )
    ]
    everything.append("<query><object>AUDITHISTORY</object><select><field>ID</field></select></query>")

    def rows(result):
        return sorted([field.text or "" for field in record] for record in result.find("data"))

    async with wired() as wire:
        await wire.call(ITEM)
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


async def _one(wire, object, key, *fields):
    """The fields of the record that people know by the key."""
    result = await wire.call(f"<readByName><object>{object}</object><keys>{key}</keys><fields>*</fields></readByName>")
    assert result.findtext("status") == "success", etree.tostring(result)
    record = result.find("data")[0]
    return [record.findtext(field.replace(".", "/")) for field in fields]


async def _audit(wire):
    select = "".join(f"<field>{name}</field>" for name in ("OBJECTTYPE", "OBJECTKEY", "ACCESSMODE", "SOURCE"))
    query = f"<query><object>AUDITHISTORY</object><select>{select}</select><orderby><order><field>ID</field></order></orderby></query>"
    return [tuple(row) for row in _texts(await wire.call(query))]


LEGACY_CONTACT = (
    "<create_contact><contactname>New, Pat</contactname><printas>Pat New</printas><phone1>555</phone1><fax>1</fax>"
    "<mailaddress><city>Salem</city></mailaddress></create_contact>"
)


@pytest.mark.parametrize("create", [CONTACT, LEGACY_CONTACT], ids=["generic", "legacy"])
async def test_a_contact_is_created_saved_and_deleted(wired, create):
    async with wired() as wire:
        made = await wire.call(create)
        first = await wire.call(
            "<readByQuery><object>CONTACT</object><fields>RECORDNO,PRINTAS,PHONE1,MAILADDRESS.CITY,FAX,STATUS</fields>"
            "<query>CONTACTNAME = 'New, Pat'</query></readByQuery>"
        )
        record = first.findtext("data/contact/RECORDNO")
        saved = await wire.call(
            f"<update><CONTACT><RECORDNO>{record}</RECORDNO><PHONE1>777</PHONE1><STATUS>inactive</STATUS></CONTACT></update>"
        )
        second = _texts(await wire.call(_read("CONTACT", record, "PHONE1", "FAX", "STATUS")))
        gone = await wire.call('<delete_contact contactname="New, Pat"/>')
        left = await wire.column("<query><object>CONTACT</object><select><field>RECORDNO</field></select></query>")
        audit = await _audit(wire)

    assert {each.findtext("status") for each in (made, saved, gone)} == {"success"}
    assert _texts(first) == [[record, "Pat New", "555", "Salem", "1", "active"]]
    assert second == [["777", "1", "inactive"]]
    assert record not in left
    assert audit == [("contact", "New, Pat", mode, "api") for mode in "CMD"]


async def test_a_contact_that_is_saved_moves_its_own_time_and_what_its_vendors_show(wired, clock):
    async with wired() as wire:
        await clock.sleep(60)
        await wire.call(
            '<update_contact contactname="Riverbend Remit"><email1>ap@example.com</email1></update_contact>'
        )
        contact = _texts(
            await wire.call(
                "<query><object>CONTACT</object><select><field>WHENMODIFIED</field></select><filter><equalto><field>CONTACTNAME</field>"
                "<value>Riverbend Remit</value></equalto></filter></query>"
            )
        )
        vendor = _texts(await wire.call(_read("VENDOR", 11, "PAYTO.EMAIL1", "WHENMODIFIED")))

    assert contact == [["03/01/2026 12:01:00"]]
    assert vendor == [["ap@example.com", "12/01/2025 12:00:00"]]


async def test_a_vendor_names_a_contact_as_its_pay_to(wired):
    function = "<update><VENDOR><VENDORID>V-2</VENDORID><PAYTO><CONTACTNAME>{}</CONTACTNAME></PAYTO></VENDOR></update>"
    async with wired() as wire:
        nobody = await wire.call(function.format("Nobody"))
        await wire.call(function.format("Riverbend Remit"))
        found = _texts(await wire.call(_read("VENDOR", 12, "PAYTO.CONTACTNAME", "PAYTO.MAILADDRESS.CITY")))
        used = await wire.call('<delete_contact contactname="Riverbend Remit"/>')

    assert (nobody.findtext("status"), used.findtext("status")) == ("failure", "failure")
    assert found == [["Riverbend Remit", "Salem"]]


async def test_an_order_is_created_with_its_lines_and_no_bill(wired):
    async with wired() as wire:
        await wire.call(ITEM)
        made = await wire.call(PURCHASE.format(kind="Purchase Order", more=""))
        fields = ("DOCNO", "CUSTVENDID", "STATE", "TRX_SUBTOTAL", "TRX_TOTAL", "PRRECORDKEY", "WHENDUE", "VENDORDOCNO")
        header = await _one(wire, "PODOCUMENT", "Purchase Order-77", *fields)
        lines = _texts(
            await wire.call(
                "<query><object>PODOCUMENTENTRY</object><select><field>LINE_NO</field><field>ITEMID</field><field>ITEMALIASID</field>"
                "<field>ITEMDESC</field><field>UIQTY</field><field>UIPRICE</field><field>TRX_VALUE</field></select><filter><equalto>"
                "<field>DOCHDRID</field><value>Purchase Order-77</value></equalto></filter><orderby><order><field>LINE_NO</field></order>"
                "</orderby></query>"
            )
        )
        audit = await _audit(wire)

    assert made.findtext("key") == "Purchase Order-77"
    assert header == ["77", "V-1", "Pending", "42.4", "47.4", "", "03/01/2026", "RB-9"]
    assert lines == [
        ["0", "LIME", "L-77", "Limes", "2.5", "12", "30"],
        ["1", "MINT", None, "Mint, fresh", "4", "3.1", "12.4"],
    ]
    assert audit[-1] == ("podocument", "Purchase Order-77", "C", "api")


async def test_a_vendor_invoice_makes_a_bill_and_converts_what_it_came_from(wired):
    more = "<createdfrom>Purchase Order-77</createdfrom>"
    async with wired() as wire:
        await wire.call(ITEM)
        await wire.call(PURCHASE.format(kind="Purchase Order", more=""))
        await wire.call(PURCHASE.format(kind="Vendor Invoice", more=more))
        order = await _one(wire, "PODOCUMENT", "Purchase Order-77", "STATE")
        key, source, total = await _one(
            wire, "PODOCUMENT", "Vendor Invoice-77", "PRRECORDKEY", "CREATEDFROM", "TRX_TOTAL"
        )
        fields = ("RECORDID", "MODULEKEY", "TRX_TOTALENTERED", "STATE", "WHENDUE", "DOCNUMBER")
        bill = _texts(await wire.call(_read("APBILL", key, *fields)))
        again = await wire.call(PURCHASE.format(kind="Vendor Invoice", more=more).replace(">77<", ">78<"))

    assert (order, source, total) == (["Converted"], "Purchase Order-77", "47.4")
    assert bill == [["RB-9", "9.PO", "47.4", "Posted", "03/01/2026", "77"]]
    assert again.findtext("errormessage/error/errorno") == "BL03002129"


async def test_an_edit_of_a_document_deletes_its_bill_and_makes_it_again(wired):
    async with wired() as wire:
        await wire.call(ITEM)
        result = await wire.call(PURCHASE_UPDATE)
        key, total, modified = await _one(
            wire, "PODOCUMENT", "Vendor Invoice-VI-1", "PRRECORDKEY", "TRX_TOTAL", "WHENMODIFIED"
        )
        bills = {str(bill.record): bill for bill in wire.simulator.bills()}
        audit = await _audit(wire)

    assert result.findtext("key") == "Vendor Invoice-VI-1"
    assert (key, total, modified) == ("107", "49.4", "03/01/2026 12:00:00")
    assert "104" not in bills
    assert (bills["107"].number, bills["107"].total, len(bills["107"].lines)) == ("INV-4", Decimal("49.40"), 3)
    assert audit[2:] == [
        ("apbill", "104", "D", "system"),
        ("apbill", "107", "C", "system"),
        ("podocument", "Vendor Invoice-VI-1", "M", "api"),
    ]


async def test_a_document_is_deleted_with_its_bill(wired):
    async with wired() as wire:
        result = await wire.call('<delete_potransaction key="Vendor Invoice-VI-1"/>')
        left = [bill.record for bill in wire.simulator.bills()]
        audit = await _audit(wire)

    assert (result.findtext("status"), 104 in left) == ("success", False)
    assert [each[:3] for each in audit] == [("apbill", "104", "D"), ("podocument", "Vendor Invoice-VI-1", "D")]


@pytest.mark.parametrize(
    ("decision", "state", "billed"), [("approve", "Approved", "Posted"), ("decline", "Declined", "Declined")]
)
async def test_what_was_submitted_is_approved_or_declined_and_its_bill_follows(wired, decision, state, billed):
    function = (
        f"<{decision}><PODOCUMENT><DOCID>Vendor Invoice-VI-1</DOCID><COMMENT>ok</COMMENT></PODOCUMENT></{decision}>"
    )
    async with wired() as wire:
        early = await wire.call(function)
        wire.simulator.edit_bill(104, state="Submitted", posted=None)
        done = await wire.call(function)
        found = await _one(wire, "PODOCUMENT", "Vendor Invoice-VI-1", "STATE")
        bill = next(bill for bill in wire.simulator.bills() if bill.record == 104)

    assert (early.findtext("errormessage/error/errorno"), done.findtext("status")) == ("BL03002129", "success")
    assert (found, bill.state) == ([state], billed)


async def test_a_cross_reference_is_created_saved_and_deleted(wired):
    async with wired() as wire:
        await wire.call(ITEM)
        made = await wire.call(REFERENCE)
        twice = await wire.call(REFERENCE)
        record = made.findtext("data/itemcrossref/RECORDNO")
        await wire.call(
            f"<update><ITEMCROSSREF><RECORDNO>{record}</RECORDNO><ITEMALIASDESC>Persian</ITEMALIASDESC></ITEMCROSSREF></update>"
        )
        found = _texts(
            await wire.call(
                _read(
                    "ITEMCROSSREF", record, "ITEMID", "ITEMNAME", "VENDORID", "ITEMALIASID", "ITEMALIASDESC", "REFTYPE"
                )
            )
        )
        await wire.call(f"<delete><object>ITEMCROSSREF</object><keys>{record}</keys></delete>")
        left = _texts(await wire.call(_read("ITEMCROSSREF", record, "RECORDNO")))

    assert twice.findtext("errormessage/error/errorno") == "BL34000061"
    assert found == [["LIME", "Limes", "V-1", "L-77", "Persian", "Vendor"]]
    assert left == []


async def test_a_reversed_bill_stands_beside_its_reversal(wired):
    async with wired() as wire:
        result = await wire.call(f'<reverse_bill key="101"><datereversed>{DATE}</datereversed></reverse_bill>')
        bills = {bill.record: bill for bill in wire.simulator.bills()}
        again = await wire.call('<reverse_bill key="101"/>')

    assert result.findtext("key") == "107"
    assert (bills[101].state, bills[107].state, bills[107].total) == ("Reversed", "Reversal", Decimal("-100.50"))
    assert again.findtext("errormessage/error/errorno") == "BL03002129"


async def test_the_lines_of_a_bill_are_changed_and_added(wired):
    function = (
        '<update_bill key="103"><updatebillitems><updatelineitem line_num="1"><amount>8</amount></updatelineitem>'
        "<lineitem><glaccountno>5010</glaccountno><amount>2</amount><memo>Ice</memo></lineitem></updatebillitems></update_bill>"
    )
    generic = (
        "<update><APBILL><RECORDNO>103</RECORDNO><APBILLITEMS><APBILLITEM><LINE_NO>2</LINE_NO><ENTRYDESCRIPTION>Dry ice"
        "</ENTRYDESCRIPTION></APBILLITEM></APBILLITEMS></APBILL></update>"
    )
    async with wired() as wire:
        await wire.call(function)
        await wire.call(generic)
        bill = next(bill for bill in wire.simulator.bills() if bill.record == 103)
        wrong = await wire.call(function.replace('line_num="1"', 'line_num="9"'))

    assert (bill.total, [(line.number, line.amount, line.description) for line in bill.lines]) == (
        Decimal(10),
        [(1, Decimal(8), "goods of INV-3"), (2, Decimal(2), "Dry ice")],
    )
    assert wrong.findtext("status") == "failure"


STEPS = {
    "approved and confirmed": (["approve", "confirm"], "Complete", "Paid"),
    "declined": (["decline"], "Draft", "Posted"),
    "confirmed and voided": (["confirm", "void"], "Voided", "Posted"),
}


@pytest.mark.parametrize(("steps", "state", "billed"), STEPS.values(), ids=STEPS.keys())
async def test_a_payment_goes_its_steps_and_its_bills_with_it(wired, steps, state, billed):
    async with wired() as wire:
        made = await wire.call(PAYMENT)
        record = made.findtext("data/appymt/RECORDNO")
        selected = next(bill.state for bill in wire.simulator.bills() if bill.record == 101)
        for step in steps:
            keys = f"<appaymentkeys><appaymentkey>{record}</appaymentkey></appaymentkeys>"
            result = await wire.call(f"<{step}_appaymentrequest>{keys}</{step}_appaymentrequest>")
            assert result.findtext("status") == "success", etree.tostring(result)
        found = _texts(await wire.call(_read("APPYMT", record, "STATE", "TRX_TOTALENTERED")))
        after = next(bill.state for bill in wire.simulator.bills() if bill.record == 101)

    assert selected == "Selected"
    assert (found, after) == ([[state, "100.5"]], billed)


async def test_what_is_written_in_an_entity_belongs_to_it(wired):
    async with wired() as wire:
        login = "<login><userid>sync</userid><companyid>acme</companyid><password>user-pass</password><locationid>WEST</locationid></login>"
        await wire.sign_in(login)
        await wire.call(VENDOR.format(more=""))
        await wire.call(BILL)
        inside = await wire.column(
            "<query><object>VENDOR</object><select><field>VENDORID</field></select></query>", "VENDORID"
        )
        await wire.sign_in()
        outside = await wire.column(
            "<query><object>VENDOR</object><select><field>VENDORID</field></select></query>", "VENDORID"
        )

    assert ("V-9" in inside, "V-9" in outside) == (True, False)
    assert wire.simulator.bills()[-1].entity == "WEST"


MORE_REFUSED = {
    "a contact that is there": (CONTACT.replace("New, Pat", "Riverbend Remit"), "BL34000061"),
    "a document of no definition": (PURCHASE.format(kind="Purchase Ordre", more=""), "BL01001973"),
    "an item that is not there": (
        PURCHASE.format(kind="Purchase Order", more="").replace(">LIME<", ">LEMON<"),
        "BL01001973",
    ),
    "a document without lines": (
        PURCHASE.format(kind="Purchase Order", more="")
        .replace("<potransitem>", "<!--")
        .replace("</potransitem>", "-->"),
        "BL03000018",
    ),
    "a source that is not there": (
        PURCHASE.format(kind="Purchase Order", more="<createdfrom>Purchase Order-0</createdfrom>"),
        "BL01001973",
    ),
    "a line that is not there": (PURCHASE_UPDATE.replace('line_num="1"', 'line_num="9"'), "BL01001973"),
    "a line numbered from nothing": (PURCHASE_UPDATE.replace('line_num="1"', 'line_num="0"'), "XL03000003"),
    "an attachment that is not there": (
        "<update><APBILL><RECORDNO>101</RECORDNO><SUPDOCID>none</SUPDOCID></APBILL></update>",
        "BL01001973",
    ),
    "a customer's cross reference": (REFERENCE.replace(">Vendor<", ">Customer<"), "BL01001973"),
    "half a payment": (PAYMENT.replace("100.50", "50"), "BL01001973"),
    "a payment of what is paid": (PAYMENT.replace(">101<", ">102<"), "BL03002129"),
}


@pytest.mark.parametrize(("function", "errorno"), MORE_REFUSED.values(), ids=MORE_REFUSED.keys())
async def test_these_writes_are_refused_too(wired, function, errorno):
    async with wired() as wire:
        await wire.call(ITEM)
        before, noted = wire.simulator.bills(), len(await _audit(wire))
        result = await wire.call(function)
        after, audit = wire.simulator.bills(), await _audit(wire)

    assert result.findtext("errormessage/error/errorno") == errorno, etree.tostring(result)
    assert (before, noted) == (after, len(audit))


async def test_a_document_that_is_converted_stays_as_it_is(wired):
    async with wired() as wire:
        await wire.call(ITEM)
        await wire.call(PURCHASE.format(kind="Purchase Order", more=""))
        await wire.call(PURCHASE.format(kind="Vendor Invoice", more="<createdfrom>Purchase Order-77</createdfrom>"))
        changed = await wire.call(PURCHASE_UPDATE.replace("Vendor Invoice-VI-1", "Purchase Order-77"))
        deleted = await wire.call('<delete_potransaction key="Purchase Order-77"/>')

    assert [each.findtext("errormessage/error/errorno") for each in (changed, deleted)] == ["BL03002129"] * 2


@pytest.mark.parametrize(
    ("function", "object"),
    [
        (LEGACY_BILL, "APBILL"),
        (LEGACY_CONTACT, "CONTACT"),
        (CONTACT, "CONTACT"),
        (PURCHASE_UPDATE, "PODOCUMENT"),
        ("<approve><PODOCUMENT><DOCID>Vendor Invoice-VI-1</DOCID></PODOCUMENT></approve>", "PODOCUMENT"),
        (
            "<void_appaymentrequest><appaymentkeys><appaymentkey>1</appaymentkey></appaymentkeys></void_appaymentrequest>",
            "APPYMT",
        ),
    ],
)
async def test_who_may_not_touch_an_object_may_not_write_it_in_any_form(wired, function, object):
    async with wired(denied=frozenset({object})) as wire:
        result = await wire.call(function)

    assert result.findtext("errormessage/error/errorno") == "PL04000005"


LINES = (
    "<query><object>{}</object><select><field>RECORDNO</field><field>PROJECTID</field><field>CLASSID</field></select><filter><equalto>"
    "<field>{}</field><value>{}</value></equalto></filter><orderby><order><field>LINE_NO</field></order></orderby></query>"
)


async def test_a_line_keeps_its_record_and_what_it_says_besides(wired):
    named = LEGACY_BILL.replace("</memo>", "</memo><projectid>P-1</projectid><classid>C-1</classid>")
    bill_change = (
        '<update_bill key="107"><updatebillitems><updatelineitem line_num="1"><amount>8</amount><classid>C-2</classid></updatelineitem>'
        "</updatebillitems></update_bill>"
    )
    order = PURCHASE.format(kind="Purchase Order", more="").replace(
        "<price>12</price>", "<price>12</price><projectid>P-9</projectid>"
    )
    async with wired() as wire:
        await wire.call(ITEM)
        await wire.call(named)
        first = _texts(await wire.call(LINES.format("APBILLITEM", "RECORDKEY", 107)))
        await wire.call(bill_change)
        second = _texts(await wire.call(LINES.format("APBILLITEM", "RECORDKEY", 107)))
        await wire.call(order)
        before = _texts(await wire.call(LINES.format("PODOCUMENTENTRY", "DOCHDRID", "Purchase Order-77")))
        await wire.call(PURCHASE_UPDATE.replace("Vendor Invoice-VI-1", "Purchase Order-77"))
        after = _texts(await wire.call(LINES.format("PODOCUMENTENTRY", "DOCHDRID", "Purchase Order-77")))

    record = first[0][0]
    assert (first, second) == ([[record, "P-1", "C-1"]], [[record, "P-1", "C-2"]])
    assert [line[1:] for line in before] == [["P-9", None], [None, None]]
    assert after[:2] == before
    assert len(after) == 3


async def test_a_record_number_is_never_given_twice(wired):
    create = "<create><CLASS><CLASSID>{0}</CLASSID><NAME>{0}</NAME></CLASS></create>"
    async with wired() as wire:
        numbers = []
        for name in ("A", "B"):
            made = await wire.call(create.format(name))
            numbers.append(made.findtext("data/class/RECORDNO"))
            await wire.call(f"<delete><object>CLASS</object><keys>{numbers[-1]}</keys></delete>")

    assert len(set(numbers)) == 2
