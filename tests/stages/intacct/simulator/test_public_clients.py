"""Requests as public clients of the gateway write them, with their own order of elements and habits. All are accepted."""

from __future__ import annotations

import pytest
from lxml import etree

LOGIN = "<login><userid>sync</userid><companyid>acme</companyid><password>user-pass</password>{rest}</login>"

# A Python SDK: no space between elements, a control id of local time, an empty locationid.
PYTHON_SDK = (
    '<?xml version="1.0" encoding="utf-8"?>\n<request><control><senderid>acme-ws</senderid><password>sender-pass</password>'
    "<controlid>2026-03-01 12:00:00.123456</controlid><uniqueid>false</uniqueid><dtdversion>3.0</dtdversion>"
    "<includewhitespace>false</includewhitespace></control><operation><authentication>{authentication}</authentication>"
    '<content><function controlid="6f1d">{function}</function></content></operation></request>'
)

# A JavaScript SDK: an explicit transaction attribute, a named control id.
JAVASCRIPT_SDK = (
    '<?xml version="1.0" encoding="utf-8"?><request><control><senderid>acme-ws</senderid><password>sender-pass</password>'
    "<controlid>sessionProvider</controlid><uniqueid>false</uniqueid><dtdversion>3.0</dtdversion>"
    '<includewhitespace>false</includewhitespace></control><operation transaction="false"><authentication>'
    '{authentication}</authentication><content><function controlid="1740830400000">{function}</function></content>'
    "</operation></request>"
)

# An older Python client: indented, and asking for an indented answer.
INDENTED = """<?xml version="1.0" encoding="UTF-8"?>
<request>
    <control>
        <senderid>acme-ws</senderid>
        <password>sender-pass</password>
        <controlid>one-for-life</controlid>
        <uniqueid>false</uniqueid>
        <dtdversion>3.0</dtdversion>
        <includewhitespace>true</includewhitespace>
    </control>
    <operation>
        <authentication>
            {authentication}
        </authentication>
        <content>
            <function controlid="one-for-life">
                {function}
            </function>
        </content>
    </operation>
</request>
"""

# A connector without an XML declaration that logs in on each call.
BARE = (
    "<request><control><senderid>acme-ws</senderid><password>sender-pass</password><controlid>x</controlid>"
    "<uniqueid>false</uniqueid><dtdversion>3.0</dtdversion></control><operation><authentication>{authentication}"
    '</authentication><content><function controlid="x">{function}</function></content></operation></request>'
)

# Envelope, function, and the bills found.
CALLS = {
    "a count by a page of one": (
        PYTHON_SDK,
        "<query><object>APBILL</object><select><field>RECORDNO</field></select><pagesize>1</pagesize></query>",
        1,
    ),
    "pagesize before filter": (
        PYTHON_SDK,
        "<query><object>APBILL</object><select><field>RECORDNO</field><field>RECORDID</field></select>"
        "<pagesize>2000</pagesize><offset>0</offset><filter><and><equalto><field>STATE</field><value>Posted</value>"
        "</equalto><equalto><field>VENDORID</field><value>V-1</value></equalto></and></filter></query>",
        2,
    ),
    "orderby before pagesize": (
        PYTHON_SDK,
        "<query><object>APBILL</object><select><field>RECORDNO</field></select><orderby><order><field>RECORDNO</field>"
        "<descending></descending></order></orderby><pagesize>3</pagesize></query>",
        3,
    ),
    "a window": (
        PYTHON_SDK,
        "<query><object>APBILL</object><select><field>RECORDNO</field></select><filter><and><greaterthanorequalto>"
        "<field>WHENMODIFIED</field><value>03/01/2026 11:20:00</value></greaterthanorequalto><lessthanorequalto>"
        "<field>WHENMODIFIED</field><value>03/01/2026 11:40:00</value></lessthanorequalto></and></filter></query>",
        3,
    ),
    "options before filter": (
        PYTHON_SDK,
        "<query><object>APBILL</object><select><field>RECORDNO</field></select><options><showprivate>true</showprivate>"
        "</options><filter><greaterthanorequalto><field>WHENMODIFIED</field><value>02/28/2026 00:00:00</value>"
        "</greaterthanorequalto></filter><pagesize>1000</pagesize><offset>0</offset><orderby><order>"
        "<field>WHENMODIFIED</field><ascending/></order></orderby></query>",
        5,
    ),
    "select before object, and options always": (
        JAVASCRIPT_SDK,
        "<query><select><field>RECORDNO</field></select><object>APBILL</object><filter><or><isnull><field>WHENMODIFIED"
        "</field></isnull><like><field>RECORDID</field><value>INV-_</value></like></or></filter><options>"
        "<caseinsensitive>false</caseinsensitive></options><pagesize>100</pagesize></query>",
        5,
    ),
    "readByQuery with a returnFormat": (
        JAVASCRIPT_SDK,
        "<readByQuery><object>APBILL</object><query>RECORDNO &gt; 101</query><fields>*</fields><pagesize>2</pagesize>"
        "<returnFormat>xml</returnFormat></readByQuery>",
        2,
    ),
    "an empty docparid": (
        INDENTED,
        "<readByQuery><object>APBILL</object><fields>*</fields><query></query><pagesize>1000</pagesize>"
        "<docparid></docparid></readByQuery>",
        5,
    ),
    "read of two": (
        INDENTED,
        "<read><object>APBILL</object><keys>101,102</keys><fields>*</fields><docparid/></read>",
        2,
    ),
    "no declaration": (
        BARE,
        "<readByQuery><object>APBILL</object><fields>*</fields><query>STATE = 'A'</query></readByQuery>",
        2,
    ),
}


@pytest.mark.parametrize(("envelope", "function", "count"), CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("session", [True, False], ids=["in a session", "with a login"])
async def test_a_public_client_is_understood(wired, envelope, function, count, session):
    async with wired() as wire:
        await wire.sign_in()
        login = LOGIN.format(rest="<locationid></locationid>")
        authentication = f"<sessionid>{wire.session}</sessionid>" if session else login
        body = envelope.format(authentication=authentication, function=function)
        reply = await wire.send(body, url=wire.endpoint)

    data = reply.find("operation/result/data")
    assert data is not None, etree.tostring(reply)
    assert data.get("count") == str(count)


@pytest.mark.parametrize("envelope", [PYTHON_SDK, JAVASCRIPT_SDK, INDENTED, BARE])
@pytest.mark.parametrize(
    "function",
    [
        "<getAPISession></getAPISession>",
        "<getAPISession/>",
        "<getAPISession><locationid></locationid></getAPISession>",
        "<getAPISession><locationid>WEST</locationid></getAPISession>",
    ],
)
async def test_a_public_client_signs_in(wired, envelope, function):
    async with wired() as wire:
        reply = await wire.send(envelope.format(authentication=LOGIN.format(rest=""), function=function))

    assert reply.findtext("operation/result/data/api/sessionid"), etree.tostring(reply)


# What clients ask besides records, and how the result stands.
OTHERS = {
    "permissions": ("<getUserPermissions><userId>sync</userId></getUserPermissions>", "success"),
    "dimensions": ("<getDimensions></getDimensions>", "success"),
    "a type": ("<lookup><object>APBILL</object></lookup>", "success"),
    "every type": ('<inspect detail="0"><object>*</object></inspect>', "success"),
    "a type in detail": ('<inspect detail="1"><object>VENDOR</object></inspect>', "success"),
    "attachments": (
        '<get_list object="supdoc"><filter><expression><field>supdocid</field><operator>=</operator><value>7</value></expression></filter></get_list>',
        "success",
    ),
    "an attachment that is not there": ('<get object="supdoc" key="7"></get>', "failure"),
}


@pytest.mark.parametrize("envelope", [PYTHON_SDK, JAVASCRIPT_SDK, INDENTED, BARE])
@pytest.mark.parametrize(("function", "status"), OTHERS.values(), ids=OTHERS.keys())
async def test_what_public_clients_ask_besides_is_understood(wired, envelope, function, status):
    async with wired() as wire:
        await wire.sign_in()
        authentication = f"<sessionid>{wire.session}</sessionid>"
        reply = await wire.send(envelope.format(authentication=authentication, function=function), url=wire.endpoint)

    assert reply.findtext("operation/result/status") == status, etree.tostring(reply)


async def test_a_control_id_may_be_any_text_and_come_again(wired):
    function = "<query><object>APBILL</object><select><field>RECORDNO</field></select></query>"
    login = LOGIN.format(rest="")
    body = PYTHON_SDK.replace("2026-03-01 12:00:00.123456", "2026-03-01 12:00:00.123456+00:00")
    async with wired(second_endpoint=False) as wire:
        replies = [await wire.send(body.format(authentication=login, function=function)) for _ in range(2)]

    assert [reply.findtext("operation/result/status") for reply in replies] == ["success", "success"]
    assert replies[0].findtext("control/controlid") == "2026-03-01 12:00:00.123456+00:00"
