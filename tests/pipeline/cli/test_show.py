"""One thing with its history: nothing of it is missing, nothing of another thing is there."""

from __future__ import annotations

from typing import Any

import pytest


def problem_of(desk: Any) -> str:
    (what,) = desk.sql("select problem ->> 'what' from runs order by id desc limit 1")[0]
    return str(what)


@pytest.mark.usefixtures("watched")
def test_a_failed_run_says_why_and_what_to_do(desk: Any) -> None:
    desk.bills.write_text("no JSON\n")
    desk.run()
    told = desk.call("show", "r-1")
    assert "run r-1 of small_bills: failed" in told.out
    assert problem_of(desk) in told.out
    assert "\n  mend   " in told.out
    assert f"run {desk.flow}" in told.err


def test_a_run_that_read_nothing_does_not_boast_of_tying(desk: Any) -> None:
    desk.bills.write_text("no JSON\n")
    for told in (desk.run().out, desk.call("show", "r-1").out):
        assert "nothing was read" in told
        assert "it ties" not in told


def test_a_run_names_the_rules_and_codes_with_their_records_and_money(ran: Any) -> None:
    told = ran.call("show", "r-1", "--json").json
    reasons = told["reasons"]
    assert {"outcome": "excluded", "reason": "below the EDI minimum", "records": 2,
            "amounts": {"CAD": "31.20", "USD": "24.99"}} in reasons  # fmt: skip
    assert {"outcome": "held", "reason": "EXAMPLE-0001", "records": 1, "amounts": {"MXN": "9150.00"}} in reasons
    for outcome in ("excluded", "dead", "held"):
        assert sum(reason["records"] for reason in reasons if reason["outcome"] == outcome) == told[outcome]
    screen = ran.call("show", "r-1").out
    assert "below the EDI minimum" in screen
    assert "31.20 CAD, 24.99 USD" in screen


def test_what_died_on_its_way_is_told_by_the_code_of_its_delivery(ran: Any) -> None:
    ran.sql("update documents set status = 'dead' where id = 1")
    ran.sql(
        """update deliveries set state = 'dead', problem = '{"code": "FAR-0001"}' where id = (select delivery from documents where id = 1)"""
    )
    reasons = ran.call("show", "r-1", "--json").json["reasons"]
    assert [r["records"] for r in reasons if (r["outcome"], r["reason"]) == ("dead", "FAR-0001")] == [1]


def test_a_bill_shows_the_state_of_its_documents_and_a_timeline_to_the_end(ran: Any) -> None:
    (label,) = ran.sql("select label from documents where id = 1")[0]
    told = ran.call("show", label).out
    assert "see its documents" not in told
    assert "delivered" in told.splitlines()[1]
    assert "delivered, by response" in told.splitlines()[-1]
    assert ran.call("show", label, "--json").json["records"][0]["outcome"] == "delivered"


def test_the_timeline_calls_things_by_their_ids(ran: Any) -> None:
    told = ran.call("show", "d-1").out
    assert "  d-1 " in told
    assert "sealed in v-1, place 1" in told
    assert "document 1 " not in told


@pytest.mark.parametrize("what", ["d-1", "x-1"])
def test_a_timeline_holds_nothing_of_another_flow(ran: Any, what: str) -> None:
    """Two flows may read the same bill, which the audit trail names alike."""
    ran.runs("other", 1)
    (subject,) = ran.sql(
        "select object || ' ' || key from " + ("documents" if what == "d-1" else "dead_letters") + " where id = 1"
    )[0]
    (last,) = ran.sql("select max(id) from audit")[0]
    ran.sql("insert into audit values (?, '2026-10-01', 2, 'record', ?, 'told by the other')", [(last + 1, subject)])
    assert "told by the other" not in ran.call("show", what).out
    assert "told by the other" not in ran.call("show", what, "--json").out


@pytest.mark.parametrize("option", ["--raw", "--human"])
def test_a_payload_of_several_documents_is_refused_with_their_ids(ran: Any, option: str) -> None:
    ran.sql(
        "insert or ignore into record_documents values ((select record from record_documents where document = 1), 2)"
    )
    (label,) = ran.sql("select r.label from records r join record_documents l on l.record = r.id where l.document = 1")[
        0
    ]
    told = ran.call("show", label, option)
    assert told.code == 2
    assert "d-1, d-2" in told.err
    assert told.out == ""


@pytest.mark.parametrize("what", ["r-1", "x-1"])
def test_what_has_no_payload_says_so(ran: Any, what: str) -> None:
    assert ran.call("show", what, "--raw").code == 2


@pytest.mark.usefixtures("watched")
def test_a_control_number_of_several_partners_is_a_table(ran: Any) -> None:
    ran.sql("""update deliveries set numbers = '{"ISA13": 7}'""")
    (there,) = ran.sql("select count(*) from deliveries")[0]
    assert there > 1
    told = ran.call("show", "7")
    assert len(told.out.splitlines()) == there + 1
    assert "show v-1" in told.err


def test_a_control_number_of_more_than_fits_says_how_many(ran: Any) -> None:
    ran.sql("""update deliveries set numbers = '{"ISA13": 7}'""")
    columns = [row[1] for row in ran.sql("pragma table_info(deliveries)")]
    copied = ", ".join("a.id + 1000" if name == "id" else f"d.{name}" for name in columns)
    ran.sql(
        "with recursive a(id) as (select 1 union all select id + 1 from a where id < 80)"
        f" insert into deliveries select {copied} from a, (select * from deliveries limit 1) d"
    )
    (there,) = ran.sql("select count(*) from deliveries")[0]
    assert f"the newest 50 of {there} deliveries" in ran.call("show", "7").err


def test_no_screen_has_empty_parts(ran: Any) -> None:
    for what in ("r-1", "d-1", "v-1", "x-1"):
        told = ran.call("show", what).out
        for gap in ("()", "None", " ,", "guide \n", ", \n", "; \n", "seen 1 times", "1 documents", "1 attempts"):
            assert gap not in told, (what, gap)


@pytest.mark.parametrize("text", ["x-99999999999999999999", "d-²", "r-", "nothing"])
def test_what_is_not_there_is_said_in_four_parts(ran: Any, text: str) -> None:
    told = ran.call("show", text)
    assert told.code == 2
    assert f"Nothing here is called {text}" in told.err


def test_hints_are_for_people_only(desk: Any) -> None:
    desk.bills.write_text("no JSON\n")
    desk.run()
    assert desk.call("show", "r-1").err == ""
