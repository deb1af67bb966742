"""What the gateway's answers are read as."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from stages.intacct.protocol.responses import Unreadable, read_definition, read_reply

SAMPLES = Path(__file__).parents[4].parent / "shared" / "samples" / "intacct"
OK = "<control><status>success</status></control>"
SIGNED_IN = "<authentication><status>success</status></authentication>"


def body(operation: str, control: str = OK) -> bytes:
    return f"<?xml version='1.0' encoding='UTF-8'?><response>{control}{operation}</response>".encode()


def result(inner: str, status: str = "success") -> bytes:
    return body(
        f"<operation>{SIGNED_IN}<result><status>{status}</status><function>query</function>{inner}</result></operation>"
    )


def test_one_record_and_many_read_alike() -> None:
    one = read_reply(result('<data count="1"><APBILL><RECORDNO>1</RECORDNO></APBILL></data>'))
    many = read_reply(
        result('<data count="2"><APBILL><RECORDNO>1</RECORDNO></APBILL><APBILL><RECORDNO>2</RECORDNO></APBILL></data>')
    )
    assert [row["RECORDNO"] for row in one.outcomes[0].data.rows] == ["1"]
    assert [row["RECORDNO"] for row in many.outcomes[0].data.rows] == ["1", "2"]


def test_dotted_and_nested_names_read_alike() -> None:
    dotted = read_reply(result("<data><VENDOR><PAYTO.MAILADDRESS.CITY>Bath</PAYTO.MAILADDRESS.CITY></VENDOR></data>"))
    nested = read_reply(
        result("<data><vendor><PAYTO><MAILADDRESS><CITY>Bath</CITY></MAILADDRESS></PAYTO></vendor></data>")
    )
    assert dotted.outcomes[0].data.rows == nested.outcomes[0].data.rows == [{"PAYTO.MAILADDRESS.CITY": "Bath"}]


def test_an_empty_element_is_none() -> None:
    rows = (
        read_reply(result("<data><APBILL><RECORDNO>1</RECORDNO><RECORDID/><NOTE>  </NOTE></APBILL></data>"))
        .outcomes[0]
        .data.rows
    )
    assert rows == [{"RECORDNO": "1", "RECORDID": None, "NOTE": None}]


def test_an_owned_collection_is_no_part_of_its_row() -> None:
    items = "<APBILLITEMS><apbillitem><RECORDNO>7</RECORDNO></apbillitem><apbillitem><RECORDNO>8</RECORDNO></apbillitem></APBILLITEMS>"
    rows = read_reply(result(f"<data><APBILL><RECORDNO>1</RECORDNO>{items}</APBILL></data>")).outcomes[0].data.rows
    assert rows == [{"RECORDNO": "1"}]


def test_an_empty_result_has_no_rows_and_nothing_remaining() -> None:
    data = (
        read_reply(result('<data listtype="department" count="0" totalcount="0" numremaining="0" resultId=""/>'))
        .outcomes[0]
        .data
    )
    assert (data.rows, data.remaining, data.total) == ([], 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        '<data totalcount="9" numremaining="4"><A><B>1</B></A></data>',
        "<data><totalcount>9</totalcount><numremaining>4</numremaining><A><B>1</B></A></data>",
    ],
)
def test_counters_are_read_from_attributes_and_from_elements(data: str) -> None:
    read = read_reply(result(data)).outcomes[0].data
    assert (read.total, read.remaining, len(read.rows)) == (9, 4, 1)


ROW = "<A><B>1</B></A>"


@pytest.mark.parametrize(
    ("data", "offset", "why"),
    [
        ("", 0, "it says success and holds no data"),
        (f'<data count="3">{ROW}{ROW}</data>', 0, "it counts 3 records and holds 2"),
        (f'<data count="1">{ROW}{ROW}</data>', 0, "it counts 1 records and holds 2"),
        (f'<data totalcount="30" numremaining="0">{ROW}{ROW}</data>', 0, "it holds 2 of 30 records and says that none remain"),
        (f'<data totalcount="30" numremaining="0">{ROW}{ROW}</data>', 27, "it holds 2 of 30 records and says that none remain"),
        (f'<data totalcount="30" numremaining="0">{ROW}{ROW}</data>', 28, ""),
        (f'<data totalcount="30" numremaining="28" count="2">{ROW}{ROW}</data>', 0, ""),
        (f'<data totalcount="30">{ROW}{ROW}</data>', 0, ""),
        (f'<data numremaining="0">{ROW}{ROW}</data>', 0, ""),
        ("<data/>", 0, ""),
    ],
)  # fmt: skip
def test_a_page_that_is_not_what_it_counts_is_known(data: str, offset: int, why: str) -> None:
    assert read_reply(result(data)).outcomes[0].data.contradiction(offset) == why


@pytest.mark.parametrize("status", ["failure", "aborted", "", "Success?"])
def test_anything_but_success_is_a_failure(status: str) -> None:
    assert not read_reply(result("", status)).outcomes[0].ok


def test_a_control_failure_is_read_with_its_errors() -> None:
    failed = "<control><status>failure</status></control><errormessage><error><errorno>GW-0011</errorno><description>Invalid Request [Request ID: 0A1B:2C]</description></error></errormessage>"
    reply = read_reply(body("", failed))
    assert reply.failed == "control"
    assert (reply.faults[0].number, reply.faults[0].text, reply.faults[0].support) == (
        "GW-0011",
        "Invalid Request",
        "0A1B:2C",
    )


def test_an_authentication_failure_is_read_with_its_errors() -> None:
    operation = (
        "<operation><authentication><status>failure</status><userid/></authentication><errormessage><error>"
        "<errorno>XL03000006</errorno><description2>Sign-in information is incorrect</description2></error></errormessage></operation>"
    )
    reply = read_reply(body(operation))
    assert (reply.failed, reply.faults[0].text) == ("authentication", "Sign-in information is incorrect")


def test_a_failed_function_can_carry_data_and_several_errors() -> None:
    errors = "<errormessage><error><errorno>A</errorno></error><error><errorno>B</errorno><description2>text</description2></error></errormessage>"
    outcome = read_reply(result(f"<data><x><RECORDNO>1</RECORDNO></x></data>{errors}", "failure")).outcomes[0]
    assert [fault.number for fault in outcome.faults] == ["A", "B"]
    assert outcome.data.rows == [{"RECORDNO": "1"}]


def test_the_support_id_is_kept_apart_from_the_text() -> None:
    error = "<errormessage><error><errorno>X</errorno><description2>It broke [Support ID: oAq%7E0]</description2></error></errormessage>"
    fault = read_reply(result(error, "failure")).outcomes[0].faults[0]
    assert (fault.text, fault.support) == ("It broke", "oAq%7E0")


def test_the_stable_cause_of_an_error_is_read() -> None:
    error = "<errormessage><error><errorno>X</errorno><additionalinfo><errorid>GL-0493</errorid></additionalinfo></error></errormessage>"
    assert read_reply(result(error, "failure")).outcomes[0].faults[0].cause == "GL-0493"


BOMB = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><response>&c;</response>'
EXTERNAL = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><response><control><status>&x;</status></control></response>'


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"<!DOCTYPE html><html><head><title>x</title></head></html>", "html"),
        (b"\n<HTML><body>gone</body></HTML>", "html"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'></html>", "html"),
        (BOMB, "doctype"),
        (EXTERNAL, "doctype"),
        (b"<!DOCTYPE response SYSTEM 'http://127.0.0.1:1/x.dtd'>" + body("<operation/>")[38:], "doctype"),
        (b"<response><control><status>success</sta", "malformed"),
        (body("<operation/>") + b"<response/>", "malformed"),
        (b"OK", "malformed"),
        (b"<response>\xff\xfe</response>", "malformed"),
        (b"<response><control>&undefined;</control></response>", "malformed"),
        (b"<other/>", "foreign"),
        (b"<response/>", "foreign"),
    ],
)
def test_what_is_no_reply_is_told_apart(content: bytes, kind: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_reply(content)
    assert caught.value.kind == kind


def test_a_doctype_behind_a_long_prolog_is_refused() -> None:
    content = b"<!--" + b"x" * 10_000 + b"-->" + EXTERNAL
    with pytest.raises(Unreadable) as caught:
        read_reply(content)
    assert caught.value.kind == "doctype"


def test_a_doctype_in_another_encoding_is_refused() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE response [<!ENTITY x "y">]><response><control>&x;</control></response>'
    with pytest.raises(Unreadable) as caught:
        read_reply(text.encode("utf-16"))
    assert caught.value.kind == "doctype"


def test_a_comment_does_not_cut_a_text() -> None:
    rows = read_reply(result("<data><A><B>x<!-- c -->y</B></A></data>")).outcomes[0].data.rows
    assert rows == [{"B": "xy"}]


def test_the_title_of_a_page_is_told() -> None:
    with pytest.raises(Unreadable, match="Just a moment"):
        read_reply(b"<html><head><title>Just a\n moment...</title></head></html>")


def sample(name: str) -> bytes:
    file = SAMPLES / name
    if not file.exists():
        pytest.skip(f"the recorded reply {name} is not here")
    return file.read_bytes()


@pytest.mark.parametrize(
    ("name", "failed", "outcomes"),
    [
        ("intacctsdk-get_api_session_response.xml", None, [(True, 1)]),
        ("intacctsdk-read_by_query_response.xml", None, [(True, 2)]),
        ("jfcote87-execFuncError.xml", None, [(False, 1)]),
        ("jfcote87-execLoginInvalid.xml", "authentication", []),
        ("jfcote87-execProjectSuccess.xml", None, [(True, 5), (True, 1)]),
        ("jfcote87-vendorResponse.xml", None, [(True, 2), (True, 1)]),
    ],
)
def test_a_recorded_reply_reads(name: str, failed: str | None, outcomes: list[tuple[bool, int]]) -> None:
    reply = read_reply(sample(name))
    assert reply.failed == failed
    assert [(outcome.ok, len(outcome.data.rows)) for outcome in reply.outcomes] == outcomes


def test_a_recorded_session_is_read() -> None:
    row = read_reply(sample("intacctsdk-get_api_session_response.xml")).outcomes[0].data.rows[0]
    assert row == {"SESSIONID": "SESSION123", "ENDPOINT": "https://sandbox.intacct.com/ia/xml/xmlgw.phtml"}


def test_the_recorded_field_catalogue_of_bills_reads() -> None:
    kind = etree.fromstring(sample("intacctsdk-lookup-APBILL.xml")).find("Type")
    assert kind is not None
    definition = read_definition(kind)
    assert definition.fields["TRX_TOTALENTERED"].type == "DECIMAL"
    assert {"VENDOR", "PODOCUMENT", "PAYTO"} <= definition.paths


_ENTITIES = '<!ENTITY e0 "oooooooooo">' + "".join(
    f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 9)
)
_LATE = f"<!-- {'x' * 6000} -->"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (f'{_LATE}<!DOCTYPE response [{_ENTITIES}]><response a="&e8;"/>', "utf-8"),
        (f"{_LATE}<!DOCTYPE response [{_ENTITIES}]><response>&e8;</response>", "utf-8"),
        (f'{_LATE}<!DOCTYPE response [<!ENTITY x SYSTEM "file:///etc/hostname">]><response>&x;</response>', "utf-8"),
        (f"{_LATE}<!DOCTYPE response><response><control/></response>", "utf-8"),
        (f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE response [{_ENTITIES}]><response a="&e8;"/>', "utf-16"),
        (f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r [{_ENTITIES}]><response>&e8;</response>', "utf-16"),
    ],
)
def test_a_doctype_is_refused_wherever_it_stands_and_however_it_is_encoded(body: str, encoding: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_reply(body.encode(encoding))
    assert caught.value.kind == "doctype"


@pytest.mark.parametrize("before", [b"\n", b"\r\n\r\n", b"  \t\n", b"\xef\xbb\xbf"])
def test_blank_lines_before_the_declaration_are_no_harm(before: bytes) -> None:
    body = b'<?xml version="1.0" encoding="UTF-8"?><response><control><status>failure</status></control></response>'
    assert read_reply(before + body).failed == "control"
