"""The other functions: readByQuery and readMore, read, lookup, inspect, update; and what batches and controlids do."""

from __future__ import annotations

import pytest
from lxml import etree

from stages.intacct.simulator import Fault


def _by_query(statement, *, object="APBILL", fields="RECORDNO", more=""):
    return (
        f"<readByQuery><object>{object}</object><fields>{fields}</fields><query>{statement}</query>{more}</readByQuery>"
    )


def _update(record, reference):
    return f"<update><APBILL><RECORDNO>{record}</RECORDNO><DOCNUMBER>{reference}</DOCNUMBER></APBILL></update>"


def _records(result):
    return sorted(int(record.findtext("RECORDNO")) for record in result.find("data"))


# A statement, XML-escaped as sent, and the visible bills it finds. The bill of an entity is never among them.
STATEMENTS = {
    "": [101, 102, 103, 104, 106],
    "RECORDNO = 102": [102],
    "RECORDNO = '102'": [102],
    "RECORDNO &lt; 102": [101],
    "RECORDNO &lt;= 102": [101, 102],
    "RECORDNO &gt; 104": [106],
    "RECORDNO &gt;= 104": [104, 106],
    "STATE = 'A'": [101, 104],
    "STATE = 'Posted'": [],
    "ONHOLD = 'T'": [106],
    "RECORDID like 'INV-%'": [101, 102, 103, 104],
    "RECORDID not like 'INV-%'": [106],
    "RECORDNO in (101, 105, '106')": [101, 106],
    "STATE not in ('A', 'P')": [103, 106],
    "WHENMODIFIED is null": [106],
    "WHENPOSTED is not null and STATE = 'A'": [101, 104],
    "not STATE = 'A'": [102, 103, 106],
    "NOT (STATE = 'A' OR RECORDNO = 102)": [103, 106],
    "not WHENMODIFIED &gt; '03/01/2026 11:25:00'": [101, 102],
    "RECORDNO = 101 or RECORDNO = 102 and STATE = 'A'": [101],
    "(RECORDNO = 101 or RECORDNO = 102) and STATE = 'A'": [101],
    "whencreated = '02/20/2026' and vendorid = 'V-2'": [103, 106],
    "TRX_TOTALENTERED &gt; 42.4": [101, 102],
    r"DESCRIPTION = 'it\'s'": [],
}

# A statement that cannot be understood.
NONSENSE = {
    "RECORDNO =": "a value is expected",
    "RECORDNO 5": "an operator is expected",
    "RECORDNO not = 5": "an operator is expected",
    "COLOUR = 'red'": "COLOUR is not a field",
    "VENDOR.NAME = 'x'": "VENDOR.NAME is not a field",
    "RECORDNO = 5 RECORDNO = 6": "unexpected RECORDNO",
    "(RECORDNO = 5": ") expected",
    "RECORDNO in ()": "a value is expected",
    'RECORDID = "INV"': "cannot be read",
    "RECORDID = 'O'Hara'": "cannot be read",
    "WHENCREATED = '2026-02-20'": "is not a date",
    "WHENCREATED is 5": "null expected",
    "( " * 60 + "RECORDNO = 5" + " )" * 60: "nested too deeply",
}


@pytest.mark.parametrize(("statement", "records"), STATEMENTS.items())
async def test_read_by_query_takes_stored_codes(wired, statement, records):
    async with wired() as wire:
        result = await wire.call(_by_query(statement))

    assert result.findtext("status") == "success", etree.tostring(result)
    assert _records(result) == records


@pytest.mark.parametrize(("statement", "text"), NONSENSE.items(), ids=range(len(NONSENSE)))
async def test_read_by_query_fails_on_what_it_cannot_understand(wired, statement, text):
    async with wired() as wire:
        result = await wire.call(_by_query(statement))

    assert result.findtext("errormessage/error/errorno") == "Query Failed"
    assert text in result.findtext("errormessage/error/description2")


async def test_an_inner_quote_stands_behind_a_backslash(wired):
    statement = r"CONTACTNAME = 'O\'Hara, Pat'"
    async with wired() as wire:
        result = await wire.call(_by_query(statement, object="CONTACT", fields="CONTACTNAME"))

    assert result.find("data").get("count") == "1"


@pytest.mark.parametrize(
    ("function", "errorno"),
    [
        (_by_query("", object="NOTHING"), "Query Failed"),
        (_by_query("", fields="RECORDNO,COLOUR"), "Invalid fields list COLOUR"),
        (_by_query("", more="<pagesize>1001</pagesize>"), "XL03000003"),
        ("<readByQuery><object>APBILL</object></readByQuery>", "XL03000003"),
    ],
    ids=["object", "fields", "page", "no query"],
)
async def test_read_by_query_refuses(wired, function, errorno):
    async with wired() as wire:
        result = await wire.call(function)

    assert result.findtext("errormessage/error/errorno") == errorno


async def test_read_by_query_names_records_in_lower_case_and_shows_every_field_for_a_star(wired):
    async with wired() as wire:
        result = await wire.call(_by_query("RECORDNO = 101", fields="*"))

    record = result.find("data/apbill")
    assert record.findtext("STATE") == "Posted"
    assert record.findtext("RAWSTATE") == "A"
    assert record.findtext("TRX_TOTALENTERED") == "100.5"
    assert record.find("APBILLITEMS") is None


async def test_read_more_goes_on_to_the_end(wired):
    async with wired() as wire:
        pages = [await wire.call(_by_query("", more="<pagesize>2</pagesize>"))]
        while key := pages[-1].find("data").get("resultId"):
            pages.append(await wire.call(f"<readMore><resultId>{key}</resultId></readMore>"))

    left = [(page.find("data").get("count"), page.find("data").get("numremaining")) for page in pages]
    assert left == [("2", "3"), ("2", "1"), ("1", "0")]
    assert sorted(record for page in pages for record in _records(page)) == [101, 102, 103, 104, 106]


async def test_read_more_by_object_means_the_latest_set(wired):
    async with wired() as wire:
        await wire.call(_by_query("RECORDNO &lt; 104", more="<pagesize>1</pagesize>"))
        await wire.call(_by_query("RECORDNO &gt;= 104", more="<pagesize>1</pagesize>"))
        result = await wire.call("<readMore><object>APBILL</object></readMore>")

    assert _records(result)[0] >= 104


async def test_a_result_set_belongs_to_its_session(wired):
    async with wired() as wire:
        first = await wire.call(_by_query("", more="<pagesize>1</pagesize>"))
        await wire.sign_in()
        result = await wire.call(f"<readMore><resultId>{first.find('data').get('resultId')}</resultId></readMore>")

    assert result.findtext("errormessage/error/errorno") == "Query Failed"


async def test_a_result_set_is_gone_after_a_while(wired, clock):
    async with wired(result_set_seconds=60) as wire:
        first = await wire.call(_by_query("", more="<pagesize>1</pagesize>"))
        await clock.advance(60)
        result = await wire.call(f"<readMore><resultId>{first.find('data').get('resultId')}</resultId></readMore>")

    assert result.findtext("errormessage/error/errorno") == "Query Failed"


async def test_read_nests_lines_and_contacts(wired):
    async with wired() as wire:
        bill = await wire.call("<read><object>APBILL</object><keys>101</keys><fields>*</fields></read>")
        vendor = await wire.call("<read><object>VENDOR</object><keys>11</keys><fields>*</fields></read>")

    assert dict(bill.find("data").attrib) == {"listtype": "APBILL", "count": "1"}
    lines = bill.findall("data/APBILL/APBILLITEMS/apbillitem")
    assert [line.findtext("TRX_AMOUNT") for line in lines] == ["100.5", "8.04"]
    assert vendor.findtext("data/VENDOR/DISPLAYCONTACT/MAILADDRESS/CITY") == "Astoria"
    assert len(vendor.findall("data/VENDOR/DISPLAYCONTACT")) == 1


async def test_read_nests_purchase_lines(wired):
    async with wired() as wire:
        result = await wire.call("<readByName><object>PODOCUMENT</object><keys>Vendor Invoice-VI-1</keys></readByName>")

    lines = result.findall("data/PODOCUMENT/PODOCUMENTENTRIES/podocumententry")
    assert [line.findtext("UIQTY") for line in lines] == ["2.5", "4"]


async def test_read_without_the_collection_shows_no_lines(wired):
    async with wired() as wire:
        some = await wire.call("<read><object>APBILL</object><keys>101</keys><fields>RECORDNO,STATE</fields></read>")
        lines = await wire.call("<read><object>APBILL</object><keys>101</keys><fields>APBILLITEMS</fields></read>")

    assert [child.tag for child in some.find("data/APBILL")] == ["RECORDNO", "STATE"]
    assert [child.tag for child in lines.find("data/APBILL")] == ["APBILLITEMS"]


async def test_read_answers_in_the_order_of_the_keys_without_those_it_cannot_see(wired):
    async with wired() as wire:
        result = await wire.call(
            "<read><object>APBILL</object><keys>104,105,999,x,101,104</keys><fields>RECORDNO</fields></read>"
        )

    assert [record.findtext("RECORDNO") for record in result.find("data")] == ["104", "101"]


async def test_read_can_fail_on_a_missing_key(wired):
    async with wired(missing_key="fail") as wire:
        result = await wire.call("<read><object>APBILL</object><keys>101,999</keys><fields>*</fields></read>")

    assert result.findtext("errormessage/error/errorno") == "DL02000001"


@pytest.mark.parametrize(
    ("keys", "fields", "errorno"),
    [
        (",".join(map(str, range(101))), "*", "XL03000003"),
        ("", "*", "XL03000003"),
        ("101", "COLOUR", "Invalid fields list COLOUR"),
    ],
    ids=["101 keys", "no keys", "an unknown field"],
)
async def test_read_refuses(wired, keys, fields, errorno):
    async with wired() as wire:
        result = await wire.call(f"<read><object>APBILL</object><keys>{keys}</keys><fields>{fields}</fields></read>")

    assert result.findtext("errormessage/error/errorno") == errorno


async def test_lookup_describes_fields_values_and_paths(wired):
    async with wired() as wire:
        result = await wire.call("<lookup><object>APBILL</object></lookup>")

    described = result.find("data/Type")
    state = next(field for field in described.find("Fields") if field.findtext("ID") == "STATE")
    kinds = {field.findtext("ID"): field.findtext("DATATYPE") for field in described.find("Fields")}
    paths = {each.findtext("OBJECTPATH"): each.findtext("RELATIONSHIPTYPE") for each in described.find("Relationships")}
    assert dict(result.find("data").attrib) == {"listtype": "All", "count": "1"}
    assert described.get("Name") == "APBILL"
    assert "Partially Paid" in [value.text for value in state.find("VALIDVALUES")]
    assert (kinds["WHENCREATED"], kinds["WHENMODIFIED"], kinds["TRX_TOTALENTERED"]) == ("DATE", "TIMESTAMP", "DECIMAL")
    assert paths["VENDOR"] == "MANY2ONE"


@pytest.mark.parametrize("object", ["VENDOR", "CONTACT", "APBILL", "APBILLITEM", "PODOCUMENT", "PODOCUMENTENTRY"])
async def test_every_field_lookup_tells_can_be_queried(wired, object):
    async with wired() as wire:
        described = await wire.call(f"<lookup><object>{object}</object></lookup>")
        names = [field.findtext("ID") for field in described.find("data/Type/Fields")]
        select = "".join(f"<field>{name}</field>" for name in names)
        result = await wire.call(f"<query><object>{object}</object><select>{select}</select></query>")

    assert result.findtext("status") == "success"
    assert [child.tag for child in result.find("data")[0]] == names


async def test_lookup_leaves_out_what_the_company_has_not(wired):
    async with wired(hidden=frozenset({"APBILLITEM.CLASSID"})) as wire:
        result = await wire.call("<lookup><object>APBILLITEM</object></lookup>")

    names = {field.findtext("ID") for field in result.find("data/Type/Fields")}
    assert "CLASSID" not in names
    assert "PROJECTID" in names


async def test_inspect_lists_objects_and_their_fields(wired):
    async with wired() as wire:
        every = await wire.call("<inspect><object>*</object></inspect>")
        names = await wire.call("<inspect><object>VENDOR</object></inspect>")
        detail = await wire.call('<inspect detail="1"><object>VENDOR</object></inspect>')

    assert "APBILL" in [type.text for type in every.findall("data/type")]
    assert "VENDORID" in [field.text for field in names.findall("data/Type/Fields/Field")]
    assert "VENDORID" in [field.findtext("Name") for field in detail.findall("data/Type/Fields/Field")]


async def test_update_sets_a_reference_and_moves_the_time_of_change(wired):
    async with wired() as wire:
        result = await wire.call(_update(101, "SENT-1"))
        bill = wire.simulator.bills()[0]

    assert [child.tag for child in result.find("data/apbill")] == ["RECORDNO"]
    assert bill.reference == "SENT-1"
    assert bill.modified.isoformat() == "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("function", "errorno"),
    [
        (_update(999, "x"), "BL01001973"),
        (_update(105, "x"), "BL01001973"),
        ("<update><APBILL><RECORDNO>101</RECORDNO><STATE>Paid</STATE></APBILL></update>", "BL01001973"),
        ("<update><APTERM><RECORDNO>1</RECORDNO></APTERM></update>", "BL01001973"),
    ],
    ids=["no such bill", "a bill out of sight", "a field that cannot be set", "another object"],
)
async def test_update_refuses(wired, function, errorno):
    async with wired() as wire:
        result = await wire.call(function)

    assert result.findtext("errormessage/error/errorno") == errorno


# Batches and controlids


def _two(first, second):
    return f'<function controlid="a">{first}</function><function controlid="b">{second}</function>'


def _outcomes(reply):
    return [
        (result.findtext("controlid"), result.findtext("status"), [e.findtext("errorno") for e in result.iter("error")])
        for result in reply.findall("operation/result")
    ]


async def test_a_failed_transaction_undoes_what_it_did(wired):
    async with wired() as wire:
        reply = await wire.ask(_two(_update(101, "A"), _update(999, "B")), transaction="true")
        reference = wire.simulator.bills()[0].reference

    assert _outcomes(reply) == [("a", "aborted", ["XL03000009"]), ("b", "failure", ["BL01001973", "XL03000009"])]
    assert reply.find("operation/result/data") is None
    assert reference == "PO-77"


async def test_functions_after_the_culprit_are_not_done(wired):
    async with wired() as wire:
        left_out = await wire.ask(_two(_update(999, "B"), _update(101, "A")), transaction="true")
    async with wired(skip_after_failure=False) as wire:
        told = await wire.ask(_two(_update(999, "B"), _update(101, "A")), transaction="true")
        reference = wire.simulator.bills()[0].reference

    assert _outcomes(left_out) == [("a", "failure", ["BL01001973", "XL03000009"])]
    assert _outcomes(told)[1] == ("b", "aborted", ["XL03000009"])
    assert reference == "PO-77"


async def test_without_a_transaction_each_function_stands_alone(wired):
    async with wired() as wire:
        reply = await wire.ask(_two(_update(999, "B"), _update(101, "A")))
        reference = wire.simulator.bills()[0].reference

    assert [status for _, status, _ in _outcomes(reply)] == ["failure", "success"]
    assert reference == "A"


async def test_a_completed_controlid_is_refused_under_uniqueid(wired):
    async with wired() as wire:
        first = await wire.call(_update(101, "A"), unique="true")
        second = await wire.call(_update(101, "B"), unique="true")
        reference = wire.simulator.bills()[0].reference

    assert first.findtext("status") == "success"
    assert second.findtext("errormessage/error/errorno") == "XL03000006"
    assert "f-1 was completed before" in second.findtext("errormessage/error/description2")
    assert reference == "A"


async def test_uniqueid_counts_as_true_when_it_is_left_out(wired):
    async with wired() as wire:
        await wire.sign_in()
        body = wire.envelope('<function controlid="f">' + _by_query("") + "</function>")
        body = body.replace("<uniqueid>false</uniqueid>", "")
        replies = [await wire.send(body, url=wire.endpoint) for _ in range(2)]

    assert [reply.findtext("operation/result/status") for reply in replies] == ["success", "failure"]


@pytest.mark.parametrize("unique", ["true", "false"])
async def test_a_repeat_within_one_request_is_refused_under_uniqueid_only(wired, unique):
    twice = f'<function controlid="f">{_by_query("")}</function>' * 2
    async with wired() as wire:
        reply = await wire.ask(twice, unique=unique)

    second = "failure" if unique == "true" else "success"
    assert [result.findtext("status") for result in reply.findall("operation/result")] == ["success", second]


async def test_a_completed_controlid_can_be_forgotten_after_a_while(wired, clock):
    async with wired(remember_seconds=60) as wire:
        await wire.call(_update(101, "A"), unique="true")
        await clock.advance(59)
        within = await wire.call(_update(101, "B"), unique="true")
        await clock.advance(1)
        after = await wire.call(_update(101, "C"), unique="true")

    assert [each.findtext("status") for each in (within, after)] == ["failure", "success"]


async def test_a_failed_function_may_come_again_under_its_controlid(wired):
    async with wired() as wire:
        await wire.call(_update(999, "A"), unique="true")
        again = await wire.call(_update(101, "A"), unique="true")

    assert again.findtext("status") == "success"


async def test_a_rolled_back_function_may_come_again_under_its_controlid(wired):
    async with wired() as wire:
        await wire.ask(_two(_update(101, "A"), _update(999, "B")), transaction="true", unique="true")
        again = await wire.ask(f'<function controlid="a">{_update(101, "A")}</function>', unique="true")

    assert again.findtext("operation/result/status") == "success"


async def test_a_lost_answer_is_followed_by_a_refusal(wired):
    async with wired(faults=[Fault(kind="empty", function="update")], duplicate="BL34000061") as wire:
        await wire.sign_in()
        status, _, lost = await wire.post(
            wire.envelope(f'<function controlid="w">{_update(101, "A")}</function>', unique="true"), url=wire.endpoint
        )
        repeat = await wire.ask(f'<function controlid="w">{_update(101, "A")}</function>', unique="true")
        reference = wire.simulator.bills()[0].reference

    assert (status, lost, reference) == (200, b"", "A")
    assert repeat.findtext(".//errorno") == "BL34000061"


DEFINED = {
    "query": "<query><object>PODOCUMENT</object><select><field>DOCID</field></select>{}</query>",
    "readByQuery": "<readByQuery><object>PODOCUMENT</object><fields>*</fields><query/>{}</readByQuery>",
    "read": "<read><object>PODOCUMENT</object><keys>901</keys><fields>*</fields>{}</read>",
    "lookup": "<lookup><object>PODOCUMENT</object>{}</lookup>",
}


@pytest.mark.parametrize("function", DEFINED.values(), ids=DEFINED.keys())
async def test_a_definition_that_the_company_does_not_have_is_refused(wired, function):
    async with wired() as wire:
        results = [
            (await wire.call(function.format(f"<docparid>{name}</docparid>"))) for name in ("Vendor Invoice", "", "No")
        ]

    assert [result.findtext("status") for result in results] == ["success", "success", "failure"]
    assert "transaction definition No" in results[2].findtext("errormessage/error/description2")


async def test_the_definitions_of_purchasing_are_listed(wired):
    query = (
        "<query><object>PODOCUMENTPARAMS</object><select><field>DOCID</field><field>DOCCLASS</field></select></query>"
    )
    async with wired() as wire:
        result = await wire.call(query)

    assert ("Purchase Order", "Order") in [
        (each.findtext("DOCID"), each.findtext("DOCCLASS")) for each in result.find("data")
    ]


@pytest.mark.parametrize(
    "function",
    [
        "<readByQuery><object>VENDOR</object><query/><returnFormat>{}</returnFormat></readByQuery>",
        "<read><object>VENDOR</object><keys>11</keys><returnFormat>{}</returnFormat></read>",
        "<query><object>VENDOR</object><select><field>NAME</field></select><options><returnformat>{}</returnformat></options></query>",
    ],
)
async def test_another_format_than_xml_is_refused_and_not_ignored(wired, function):
    async with wired() as wire:
        results = [await wire.call(function.format(name)) for name in ("xml", "json")]

    assert results[0].findtext("status") == "success"
    assert results[1].findtext("errormessage/error/errorno") == "XL03000003"
