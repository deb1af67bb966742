"""Requests as they go out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pipeline import ConfigError, Secret
from stages.intacct.protocol import requests
from stages.intacct.protocol.query import Compare, Query, all_of, among, beyond

SENDER = requests.Sender("acme-ws", Secret("pw"))
LOGIN = requests.Login(user="sync", company="acme", password=Secret("pw2"), location="WEST")


def sent(function: etree._Element, authentication: requests.Login | Secret = LOGIN) -> etree._Element:
    return etree.fromstring(requests.envelope(SENDER, "c-1", authentication, function))


def test_the_control_block_is_in_schema_order_and_asks_for_no_uniqueness() -> None:
    control = sent(requests.get_session()).find("control")
    assert control is not None
    assert [(child.tag, child.text) for child in control] == [
        ("senderid", "acme-ws"),
        ("password", "pw"),
        ("controlid", "c-1"),
        ("uniqueid", "false"),
        ("dtdversion", "3.0"),
        ("includewhitespace", "false"),
    ]


def test_the_ids_of_errors_are_asked_for_at_the_end_of_control_and_only_on_request() -> None:
    sender = requests.Sender("acme-ws", Secret("pw"), error_ids=True)
    control = etree.fromstring(requests.envelope(sender, "c-1", LOGIN, requests.get_session())).find("control")
    assert control is not None
    assert (control[-1].tag, control[-1].text) == ("showadditionalerrorinfo", "true")


def test_a_login_is_in_schema_order() -> None:
    login = sent(requests.get_session()).find("operation/authentication/login")
    assert login is not None
    assert [child.tag for child in login] == ["userid", "companyid", "password", "locationid"]


def test_the_top_level_names_no_location() -> None:
    login = requests.Login(user="u", company="c", password=Secret("p"))
    assert sent(requests.get_session(), login).find("operation/authentication/login/locationid") is None


def test_a_session_replaces_the_login() -> None:
    request = sent(requests.lookup("APBILL"), Secret("s-1"))
    assert request.findtext("operation/authentication/sessionid") == "s-1"
    assert request.find("operation/authentication/login") is None


def test_a_function_carries_the_control_id() -> None:
    function = sent(requests.lookup("APBILL")).find("operation/content/function")
    assert function is not None
    assert (function.get("controlid"), function.findtext("lookup/object")) == ("c-1", "APBILL")


def test_a_query_is_written_whole() -> None:
    question = Query(
        object="APBILL",
        fields=("RECORDNO", "VENDOR.TAXID"),
        filter=all_of([among("STATE", ["Posted", "Paid"]), beyond("WHENMODIFIED", "t", "RECORDNO", "9")]),
        order=("WHENMODIFIED", "RECORDNO"),
        page_size=2,
        private=True,
    )
    assert etree.tostring(requests.query(question)).decode() == (
        "<query><object>APBILL</object><select><field>RECORDNO</field><field>VENDOR.TAXID</field></select>"
        "<filter><and><in><field>STATE</field><value>Posted</value><value>Paid</value></in>"
        "<or><greaterthan><field>WHENMODIFIED</field><value>t</value></greaterthan>"
        "<and><equalto><field>WHENMODIFIED</field><value>t</value></equalto>"
        "<greaterthan><field>RECORDNO</field><value>9</value></greaterthan></and></or></and></filter>"
        "<orderby><order><field>WHENMODIFIED</field><ascending/></order><order><field>RECORDNO</field><ascending/></order></orderby>"
        "<options><showprivate>true</showprivate></options><pagesize>2</pagesize><offset>0</offset></query>"
    )


def test_one_condition_stands_without_and() -> None:
    assert all_of([None, Compare("isnull", "X")]) == Compare("isnull", "X")
    assert all_of([]) is None


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[0m", "\ud800", "\ufffe", "\x7f\x01"])
def test_a_character_that_xml_cannot_carry_is_refused(text: str) -> None:
    question = Query(object="APBILL", fields=("RECORDNO",), filter=among("RECORDID", [text]))
    with pytest.raises(ConfigError, match="cannot carry"):
        requests.query(question)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1))
def test_any_legal_text_arrives_unchanged(text: str) -> None:
    question = Query(object="APBILL", fields=("RECORDNO",), filter=among("RECORDID", [text]))
    arrived = etree.fromstring(requests.envelope(SENDER, "c", Secret("s"), requests.query(question)))
    assert arrived.findtext(".//value") == text


@pytest.mark.parametrize("control_id", ["", "x" * 257])
def test_a_control_id_has_1_to_256_characters(control_id: str) -> None:
    with pytest.raises(ValueError, match="256"):
        requests.envelope(SENDER, control_id, LOGIN, requests.get_session())
