"""A reply must repeat what was asked, as far as it repeats anything."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import ConfigError, Secret, StageError, TransientError
from stages.intacct.protocol.echo import Asked, check
from stages.intacct.protocol.faults import Form, Place
from stages.intacct.protocol.requests import Login
from stages.intacct.protocol.responses import read_reply


def reply(*, control: str = "", auth: str = "", result: str = "", data: str = "", status: str = "success") -> Any:
    return read_reply(
        f"<response><control><status>success</status>{control}</control><operation>"
        f"<authentication><status>{status}</status>{auth}</authentication>"
        f"<result><status>success</status>{result}<data>{data}</data></result></operation></response>".encode()
    )


def verdict(told: Any, form: Form = "session", **login: str) -> StageError | None:
    names: dict[str, Any] = {"user": "sync", "company": "acme", "password": Secret("x" * 9)} | login
    asked = Asked(control_id="a-1", function="query", function_id="a-1", login=Login(**names))
    try:
        check(told, asked, Place("gateway.example", "acme", "query of VENDOR", form))
    except StageError as error:
        return error
    return None


def session(location: str | None) -> str:
    place = "" if location is None else f"<locationid>{location}</locationid>"
    return f"<api><sessionid>s</sessionid>{place}</api>"


@pytest.mark.parametrize("form", ["session", "login"])
@pytest.mark.parametrize(
    ("told", "why"),
    [
        (reply(control="<controlid>b-2</controlid>"), "controlid is 'b-2', ours was 'a-1'"),
        (reply(result="<function>query</function><controlid>b-2</controlid>"), "function's controlid is 'b-2'"),
        (reply(result="<function>lookup</function><controlid>a-1</controlid>"), "function is 'lookup'"),
    ],
)
def test_a_reply_to_another_request_is_a_lost_one(told: Any, why: str, form: Form) -> None:
    error = verdict(told, form)
    assert isinstance(error, TransientError)
    assert (error.code, why in error.why) == ("MLC-INTACCT-0209", True)


@pytest.mark.parametrize(
    ("told", "login", "why"),
    [
        (reply(auth="<userid>root</userid>"), {}, "userid is 'root', ours was 'sync'"),
        (reply(auth="<companyid>other</companyid>"), {}, "companyid is 'other'"),
        (reply(auth="<companyid>other</companyid>"), {"client": "north"}, "companyid is 'other'"),
        (reply(auth="<locationid>EAST</locationid>"), {"location": "WEST"}, "locationid is 'EAST', ours was 'WEST'"),
    ],
)
def test_a_reply_from_elsewhere_is_a_lost_one_and_at_the_sign_in_a_refusal(
    told: Any, login: dict[str, str], why: str
) -> None:
    lost, refused = verdict(told, **login), verdict(told, "login", **login)
    assert isinstance(lost, TransientError)
    assert isinstance(refused, ConfigError)
    assert (lost.code, refused.code) == ("MLC-INTACCT-0209", "MLC-INTACCT-0118")
    assert why in lost.why
    assert why in refused.why


@pytest.mark.parametrize(
    "told",
    [
        reply(auth="<locationid></locationid>"),
        reply(data=session("")),
        reply(data=session("EAST")),
        reply(auth="<locationid></locationid>", data=session("")),
    ],
)
def test_a_sign_in_that_does_not_enter_the_entity_is_refused(told: Any) -> None:
    error = verdict(told, "login", location="WEST")
    assert isinstance(error, ConfigError)
    assert "location_id" in error.mend


@pytest.mark.parametrize(
    ("told", "form", "login"),
    [
        (reply(), "login", {"location": "WEST"}),  # nothing is repeated
        (reply(control="<controlid/>", auth="<userid/><companyid/>", result="<function/><controlid/>"), "session", {}),
        (reply(control="<controlid> A-1</controlid>", auth="<userid>SYNC</userid><companyid>Acme</companyid>"), "session", {}),
        (reply(auth="<locationid></locationid>", data=session("west")), "login", {"location": "WEST"}),
        (reply(auth="<locationid>WEST</locationid>", data=session("")), "login", {"location": "WEST"}),
        (reply(auth="<locationid></locationid>"), "session", {"location": "WEST"}),  # of a session, later
        (reply(auth="<locationid></locationid>"), "login", {}),
        (reply(auth="<userid>anyone</userid><companyid>north</companyid>"), "login", {"client": "north"}),
        (reply(auth="<companyid>ACME|north</companyid>"), "login", {"client": "north"}),
        (reply(control="<controlid>b</controlid>", auth="<userid></userid>", status="failure"), "session", {}),
    ],
)  # fmt: skip
def test_what_is_left_out_or_spelt_otherwise_is_no_difference(told: Any, form: Form, login: dict[str, str]) -> None:
    assert verdict(told, form, **login) is None
