"""What the gateway demands of a request before any function runs, and how its replies are built."""

from __future__ import annotations

import aiohttp
import pytest
from lxml import etree

CONTROL = (
    "<control><senderid>acme-ws</senderid><password>sender-pass</password><controlid>c-1</controlid>"
    "<uniqueid>false</uniqueid><dtdversion>3.0</dtdversion></control>"
)
LOGIN = "<login><userid>sync</userid><companyid>acme</companyid><password>user-pass</password></login>"
FUNCTION = '<function controlid="f"><lookup><object>VENDOR</object></lookup></function>'
OPERATION = f"<operation><authentication>{LOGIN}</authentication><content>{FUNCTION}</content></operation>"
GOOD = f"<request>{CONTROL}{OPERATION}</request>"

# What is sent, and a part of the text it is refused with, all at the level of `control`.
REFUSED = {
    "no XML at all": ("hello", "Start tag expected"),
    "nothing": ("", "empty"),
    "a tag left open": ("<request><control></request>", "mismatch"),
    "two roots": (GOOD + GOOD, "Extra content"),
    "entity declarations": (f'<!DOCTYPE request [<!ENTITY a "aa">]>{GOOD}', "entity declarations"),
    "a DOCTYPE with a file": (f'<!DOCTYPE request SYSTEM "intacct.dtd">{GOOD}', "DOCTYPE"),
    "another root": (f"<response>{CONTROL}{OPERATION}</response>", "'request' is expected"),
    "no control": (f"<request>{OPERATION}</request>", "missing child element 'control'"),
    "control out of order": (
        GOOD.replace(
            "<senderid>acme-ws</senderid><password>sender-pass</password>",
            "<password>sender-pass</password><senderid>acme-ws</senderid>",
        ),
        "'senderid' is not expected here",
    ),
    "control repeated element": (GOOD.replace("</senderid>", "</senderid><senderid>x</senderid>"), "not expected here"),
    "control unknown element": (
        GOOD.replace("<controlid>", "<colour>red</colour><controlid>"),
        "'colour' is not expected",
    ),
    "no senderid": (GOOD.replace("<senderid>acme-ws</senderid>", ""), "missing child element 'senderid'"),
    "no sender password": (GOOD.replace("<password>sender-pass</password>", ""), "missing child element 'password'"),
    "no controlid": (GOOD.replace("<controlid>c-1</controlid>", ""), "missing child element 'controlid'"),
    "controlid of 257": (GOOD.replace("c-1", "c" * 257), "longer than 256"),
    "uniqueid not boolean": (GOOD.replace("<uniqueid>false", "<uniqueid>no"), "'no' is not true or false"),
    "no dtdversion": (GOOD.replace("<dtdversion>3.0</dtdversion>", ""), "missing child element 'dtdversion'"),
    "dtdversion 2.0": (GOOD.replace("3.0", "2.0"), "'2.0' is not one of"),
    "wrong sender": (GOOD.replace("acme-ws", "Acme-ws"), "Incorrect Intacct XML Partner ID or password"),
    "wrong sender password": (
        GOOD.replace("sender-pass", "Sender-pass"),
        "Incorrect Intacct XML Partner ID or password",
    ),
    "a transport policy": (GOOD.replace("</dtdversion>", "</dtdversion><policyid>p</policyid>"), "transport policy"),
    "no operation": (f"<request>{CONTROL}</request>", "missing child element 'operation'"),
    "something beside operation": (GOOD.replace("</request>", "<extra/></request>"), "'extra' is not expected"),
    "content before authentication": (
        f"<request>{CONTROL}<operation><content>{FUNCTION}</content><authentication>{LOGIN}</authentication></operation></request>",
        "in this order",
    ),
    "no credentials": (GOOD.replace(LOGIN, ""), "either login or sessionid"),
    "both credentials": (GOOD.replace(LOGIN, f"{LOGIN}<sessionid>x</sessionid>"), "either login or sessionid"),
    "login out of order": (
        GOOD.replace(
            "<userid>sync</userid><companyid>acme</companyid>", "<companyid>acme</companyid><userid>sync</userid>"
        ),
        "'userid' is not expected here",
    ),
    "login without company": (GOOD.replace("<companyid>acme</companyid>", ""), "missing child element 'companyid'"),
    "no function": (GOOD.replace(FUNCTION, ""), "missing child element 'function'"),
    "function without controlid": (GOOD.replace(' controlid="f"', ""), "needs 1 to 256 characters"),
    "function with a controlid of 257": (GOOD.replace('controlid="f"', f'controlid="{"f" * 257}"'), "needs 1 to 256"),
    "two functions in one": (GOOD.replace("</lookup>", "</lookup><getAPISession/>"), "exactly one function"),
    "an empty function": (GOOD.replace("<lookup><object>VENDOR</object></lookup>", ""), "exactly one function"),
    "transaction not boolean": (GOOD.replace("<operation>", '<operation transaction="maybe">'), "not true or false"),
}


async def test_the_envelope_the_refusals_start_from_is_accepted(wired):
    async with wired() as wire:
        reply = await wire.send(GOOD)

    assert reply.findtext("operation/result/status") == "success"


@pytest.mark.parametrize(("body", "text"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_request_against_the_schema_or_sender_fails_in_control_alone(wired, body, text):
    async with wired() as wire:
        status, _, reply = await wire.post(body)
        counts = wire.simulator.counts

    response = etree.fromstring(reply)
    assert status == 200
    assert response.findtext("control/status") == "failure"
    assert response.find("operation") is None
    assert text in response.findtext("errormessage/error/description2")
    assert (counts.functions, counts.logins) == (0, 0)


@pytest.mark.parametrize(
    ("body", "errorno"),
    [("<request>", "XL03000003"), (GOOD.replace("sender-pass", "no"), "XL03000006")],
    ids=["not well-formed", "wrong sender"],
)
async def test_refusals_in_control_are_told_apart_by_errorno(wired, body, errorno):
    async with wired() as wire:
        reply = await wire.send(body)

    assert reply.findtext("errormessage/error/errorno") == errorno


async def test_a_wrong_sender_is_told_before_a_wrong_operation(wired):
    async with wired() as wire:
        reply = await wire.send(f"<request>{CONTROL.replace('sender-pass', 'no')}<nonsense/></request>")

    assert reply.findtext("errormessage/error/errorno") == "XL03000006"


async def test_control_is_echoed_without_the_password(wired):
    async with wired() as wire:
        reply = await wire.send(GOOD)

    assert [(child.tag, child.text) for child in reply.find("control")] == [
        ("status", "success"),
        ("senderid", "acme-ws"),
        ("controlid", "c-1"),
        ("uniqueid", "false"),
        ("dtdversion", "3.0"),
    ]


async def test_an_absent_uniqueid_is_echoed_as_true(wired):
    async with wired() as wire:
        reply = await wire.send(GOOD.replace("<uniqueid>false</uniqueid>", ""))

    assert reply.findtext("control/uniqueid") == "true"


@pytest.mark.parametrize(("wanted", "lines"), [("", True), ("<includewhitespace>false</includewhitespace>", False)])
async def test_replies_are_indented_unless_whitespace_is_declined(wired, wanted, lines):
    async with wired() as wire:
        _, _, reply = await wire.post(GOOD.replace("</dtdversion>", f"</dtdversion>{wanted}"))

    assert (b"\n  <control>" in reply) is lines


async def test_extra_error_information_may_be_asked_for_anywhere_in_control(wired):
    asked = "<showadditionalerrorinfo>true</showadditionalerrorinfo>"
    async with wired() as wire:
        reply = await wire.send(GOOD.replace("<dtdversion>", f"{asked}<dtdversion>"))

    assert reply.findtext("control/status") == "success"


DETAILED = "<showadditionalerrorinfo>true</showadditionalerrorinfo></control>"


async def test_each_error_has_its_cause_when_that_is_asked_for(wired):
    function = "<create><GLACCOUNT><ACCOUNTNO>5000</ACCOUNTNO><TITLE>Bought</TITLE></GLACCOUNT></create>"
    functions = f'<function controlid="a">{function}</function><function controlid="b">{function}</function>'
    async with wired() as wire:
        await wire.sign_in()
        body = wire.envelope(functions).replace("</control>", DETAILED)
        first, second = (await wire.send(body, url=wire.endpoint)).findall("operation/result")

    assert first.findtext("status") == "success"
    duplicate, companion = second.findall("errormessage/error")
    support = duplicate.findtext("description2").partition("Support ID: ")[2].rstrip("]")
    told = duplicate.find("additionalinfo")
    assert [child.tag for child in told] == [
        "errorid",
        "category",
        "target",
        "description",
        "cdescription",
        "correction",
    ]
    assert (told.findtext("errorid"), told.findtext("category")) == ("GL-0493", "Duplication Prevention")
    assert told.find("target").get("requestinfo") == support != ""
    assert [part.findtext("messageid") for part in told.iterfind("*[messageid]")] == [
        "",
        "IA.THE_RECORD_ALREADY_EXISTS",
        "IA.THE_RECORD_ALREADY_EXISTS",
    ]
    assert [child.tag for child in told.find("description")] == ["messageid", "category", "target", "placeholders"]
    assert companion.findtext("additionalinfo/errorid") == "GL-0504"


@pytest.mark.parametrize(
    ("change", "id"),
    [
        (("sender-pass", "no"), "XL-0006"),
        (("user-pass", "no"), "XL-0006"),
        (("<lookup>", "<look>"), None),
        (("<object>VENDOR</object>", "<object>NOTHING</object>"), "XL-0009"),
        (("<object>VENDOR</object>", "<nonsense/>"), "XL-0003"),
    ],
    ids=["sender", "login", "not well-formed", "object", "schema"],
)
async def test_errors_of_every_level_have_it(wired, change, id):
    async with wired() as wire:
        reply = await wire.send(GOOD.replace("</control>", DETAILED).replace(*change))
        plain = await wire.send(GOOD.replace(*change))

    assert [error.findtext("additionalinfo/errorid") for error in reply.iter("error")] == [id]
    assert plain.find(".//additionalinfo") is None


async def test_apostrophes_are_sent_as_numeric_references(wired):
    query = "<query><object>CONTACT</object><select><field>CONTACTNAME</field></select></query>"
    async with wired() as wire:
        _, _, reply = await wire.post(GOOD.replace("<lookup><object>VENDOR</object></lookup>", query))

    assert b"O&#039;Hara" in reply
    assert b"'" not in reply


async def test_a_large_reply_is_compressed_when_asked(wired):
    async with wired() as wire:
        _, headers, _ = await wire.post(GOOD, encoding="gzip")
        _, plain_headers, plain = await wire.post(GOOD)

    assert headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain_headers
    assert plain.startswith(b"<?xml")


@pytest.mark.parametrize(
    ("content_type", "status", "strict_status"),
    [
        ("application/xml", 200, 200),
        ("text/xml; charset=UTF-8", 200, 200),
        ("x-intacct-xml-request", 200, 400),
        ("application/x-intacct-xml-request", 200, 400),
        ("application/json", 400, 400),
        ("application/x-www-form-urlencoded", 400, 400),
    ],
)
async def test_content_types_are_checked_first(wired, content_type, status, strict_status):
    async with wired() as wire:
        lenient, _, _ = await wire.post(GOOD, content_type=content_type)
    async with wired(strict_content_type=True) as wire:
        strict, _, _ = await wire.post(GOOD, content_type=content_type)

    assert (lenient, strict) == (status, strict_status)


async def test_an_unsupported_content_type_gets_a_control_failure_of_two_elements(wired):
    async with wired() as wire:
        reply = await wire.send("{}", content_type="application/json")

    assert reply.findtext("control/status") == "failure"
    assert [child.tag for child in reply.find("errormessage/error")] == ["errorno", "description"]
    assert reply.findtext("errormessage/error/errorno") == "GW-0014"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "", 405), ("PUT", "", 405), ("POST", "x", 404)])
async def test_other_methods_and_paths_are_refused_in_html(wired, method, path, status):
    async with wired() as wire, aiohttp.ClientSession() as http:
        async with http.request(method, wire.simulator.url + path) as response:
            answered = response.status, response.content_type

    assert answered == (status, "text/html")


async def test_functions_are_answered_in_order_and_fail_by_themselves(wired):
    three = (
        '<function controlid="a"><lookup><object>VENDOR</object></lookup></function>'
        '<function controlid="b"><lookup><object>NOTHING</object></lookup></function>'
        '<function controlid="c"><lookup><object>APBILL</object></lookup></function>'
    )
    async with wired() as wire:
        reply = await wire.ask(three)

    results = [(r.findtext("controlid"), r.findtext("status")) for r in reply.findall("operation/result")]
    assert results == [("a", "success"), ("b", "failure"), ("c", "success")]


@pytest.mark.parametrize(
    "function",
    ["<launchRocket/>", "<lookup><thing/></lookup>", "<getAPISession><entity/></getAPISession>", "<create/>"],
)
async def test_a_function_against_the_schema_refuses_the_whole_request_before_anything_is_done(wired, function):
    write = "<update><APBILL><RECORDNO>101</RECORDNO><DESCRIPTION>x</DESCRIPTION></APBILL></update>"
    async with wired() as wire:
        reply = await wire.ask(
            f'<function controlid="a">{write}</function><function controlid="b">{function}</function>'
        )
        unsigned = await wire.send(
            wire.envelope(f'<function controlid="b">{function}</function>', "<sessionid>x</sessionid>")
        )
        done = [effect["kind"] for effect in wire.simulator.effects()]

    for each in (reply, unsigned):
        assert [child.tag for child in each] == ["control", "errormessage"]
        assert each.findtext("errormessage/error/errorno") == "XL03000003"
    assert "update" not in done


async def test_function_errors_end_in_a_support_id_that_differs_each_time(wired):
    async with wired() as wire:
        first = await wire.call("<lookup><object>NOTHING</object></lookup>")
        second = await wire.call("<lookup><object>NOTHING</object></lookup>")

    texts = [result.findtext("errormessage/error/description2") for result in (first, second)]
    assert all(text.startswith("Object definition not found [Support ID: ") for text in texts)
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    ("function", "served"),
    [
        ('<get_list object="vendor"/>', True),
        ('<get object="vendor" key="V-1"/>', True),
        ("<getAPISession/>", True),
        ('<delete_bill key="103"/>', True),
        ("<lookup><object>VENDOR</object></lookup>", False),
        ("<query><object>VENDOR</object><select><field>NAME</field></select></query>", False),
    ],
)
async def test_the_older_version_has_the_legacy_functions_only(wired, function, served):
    async with wired() as wire:
        body = wire.envelope(
            f'<function controlid="f">{function}</function>',
            "<login><userid>sync</userid><companyid>acme</companyid><password>user-pass</password></login>",
        )
        reply = await wire.send(body.replace("<dtdversion>3.0<", "<dtdversion>2.1<"))

    assert reply.findtext("control/dtdversion") == "2.1"
    assert (reply.findtext("operation/result/status"), reply.findtext("control/status")) == (
        ("success", "success") if served else (None, "failure")
    )
