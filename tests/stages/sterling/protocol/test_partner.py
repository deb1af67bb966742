from __future__ import annotations

from stages.ap.partner import TradingPartner
from stages.sterling.protocol.partner import differences, update

WANTED = TradingPartner(code="C", name="N", vendors=("V",), city="Salem", country="US", time_zone="-05")


def test_coded_and_plain_values_compare_equal():
    row = {
        "code": "C",
        "city": "Salem",
        "countryOrRegion": {"code": "US", "display": "United States"},
        "timeZone": "-05",
    }
    assert differences(WANTED, row) == {}


def test_absent_members_differ_from_wanted_ones():
    assert differences(WANTED, {"code": "C", "city": None}) == {
        "city": "Salem",
        "countryOrRegion": "US",
        "timeZone": "-05",
    }


def test_another_code_differs_so_that_a_partner_can_be_taken_over():
    row = {"code": "OLD", "city": "Salem", "countryOrRegion": "US", "timeZone": "-05"}
    assert differences(WANTED, row) == {"code": "C"}


def test_update_keeps_what_is_not_ours_and_changes_what_is():
    row = {"partnerName": "N", "_id": "N", "city": "Bend", "textMode": {"code": True, "display": "Yes"}}
    assert update({"city": "Salem"}, row) == {"partnerName": "N", "city": "Salem", "textMode": True}


def read(**members):
    return {
        "_id": "N",
        "_title": "TradingPartner(N)",
        "href": "x",
        "$ref": "x",
        "actions": {"href": "x"},
        "partnerName": "N",
        "city": "Bend",
        **members,
    }


def test_only_documented_members_go_back():
    row = read(newThing={"x": 1}, lastLogin=None, password="canary", passwordExpires="2030", phone="", mailbox="/N")
    assert update({"city": "Salem"}, row) == {"partnerName": "N", "city": "Salem", "phone": "", "mailbox": "/N"}


def test_only_documented_members_of_a_connection_go_back():
    row = read(
        consumerFtpConfiguration={
            "hostname": "h",
            "password": "canary",
            "href": "x",
            "newThing": 1,
            "connectionType": {"code": "passive", "display": "Passive"},
        },
        producerSshConfiguration={"remoteProfile": "P", "_id": "1"},
        producerFtpConfiguration={"newThing": 1},
    )
    assert update({}, row) == {
        "partnerName": "N",
        "city": "Bend",
        "consumerFtpConfiguration": {"hostname": "h", "connectionType": "passive"},
        "producerSshConfiguration": {"remoteProfile": "P"},
    }


def test_connections_without_documented_members_go_back_whole_but_for_links_and_passwords():
    row = read(consumerCdConfiguration={"a": 1, "remotePassword": "canary", "b": {"$ref": "x", "c": 2}, "_id": "1"})
    assert update({}, row)["consumerCdConfiguration"] == {"a": 1, "b": {"c": 2}}


def test_change_to_a_member_that_is_not_returned_is_sent():
    assert update({"postalCode": "97301"}, read())["postalCode"] == "97301"
