"""Lists: a part is never taken for the whole, and a filter that matches nothing never reassures."""

from __future__ import annotations

from typing import Any

import pytest

MANY = 11_500


def test_dead_counts_and_sums_all_of_a_code_and_says_how_many_it_leaves_out(ran: Any) -> None:
    ran.letters(MANY)
    told = ran.call("dead").out
    assert f"{MANY:,} exceptions, {MANY:,}.00 USD" in told
    assert f"... and {MANY - 20:,} more" in told


def test_dead_as_json_says_how_many_there_are_whatever_the_limit(ran: Any) -> None:
    ran.letters(30)
    told = ran.call("dead", "--error", "MLC-TEST-0001", "--limit", "10", "--json")
    assert (len(told.json["items"]), told.json["total"]) == (10, 30)
    assert "these are the oldest 10 of 30 exceptions" in told.err


def test_the_last_run_of_a_quiet_flow_stays_in_the_status(ran: Any) -> None:
    ran.runs("busy", 300)
    flows = {run["flow"]: run["id"] for run in ran.call("status", "--json").json["flows"]}
    assert flows == {"small_bills": "r-1", "busy": "r-301"}


def test_status_says_when_more_deliveries_wait_than_it_shows(ran: Any) -> None:
    columns = [row[1] for row in ran.sql("pragma table_info(deliveries)")]
    copied = ", ".join({"id": "a.id + 1000", "state": "'retry'"}.get(name, f"d.{name}") for name in columns)
    ran.sql(
        "with recursive a(id) as (select 1 union all select id + 1 from a where id < 120)"
        f" insert into deliveries select {copied} from a, (select * from deliveries limit 1) d"
    )
    told = ran.call("status")
    assert "these are the oldest 100 of 120 deliveries" in told.err
    assert ran.call("status", "--json").json["waiting_total"] == 120


@pytest.mark.parametrize("verb", ["docs", "runs"])
def test_a_list_that_is_cut_says_so(ran: Any, verb: str) -> None:
    ran.run("--json")
    told = ran.call(verb, "--limit", "1")
    assert "these are the newest 1 of " in told.err
    assert ran.call(verb, "--limit", "1", "--json").json["total"] > 1


@pytest.mark.parametrize("verb", ["docs", "runs"])
def test_a_whole_list_says_nothing_of_being_cut(ran: Any, verb: str) -> None:
    assert "these are" not in ran.call(verb).err


@pytest.mark.parametrize(
    "filter_",
    [("--error", "NOPE"), ("--partner", "nobody"), ("--flow", "nope")],
)
def test_a_filter_that_matches_no_exception_says_how_many_are_open(ran: Any, filter_: tuple[str, str]) -> None:
    ran.letters(4)
    (there,) = ran.sql("select count(*) from dead_letters where state = 'open'")[0]
    told = ran.call("dead", *filter_).out
    assert f"No exception matches; {there} are open" in told
    assert "nothing needs a person" not in told
    assert f"{there} are open" in ran.call("dead", *filter_, "--json").err


def test_an_unknown_code_is_answered_with_those_that_are_open(ran: Any) -> None:
    ran.letters(1)
    assert "MLC-TEST-0001" in ran.call("dead", "--error", "NOPE").out


def test_that_nothing_needs_a_person_is_said_when_it_is_so(ran: Any) -> None:
    ran.sql("update dead_letters set state = 'resolved'")
    assert "nothing needs a person" in ran.call("dead").out
    assert "exceptions" not in ran.call("dead").err


def test_partners_are_compared_without_case(ran: Any) -> None:
    ran.letters(1, partner="RIVERBEND")
    assert ran.call("dead", "--partner", "riverbend", "--json").json["total"] == 1
    ran.sql("update documents set partner = 'RIVERBEND' where id = 1")
    assert [item["id"] for item in ran.call("docs", "--partner", "Riverbend", "--json").json["items"]] == ["d-1"]


@pytest.mark.parametrize("verb", ["docs", "runs", "dead"])
def test_an_unknown_flow_is_answered_with_those_there_are(ran: Any, verb: str) -> None:
    ran.runs("vendors", 1)
    told = ran.call(verb, "--flow", "small_bill").out
    assert "No flow called small_bill has run here, only small_bills, vendors; did you mean small_bills?" in told
    assert "No run yet" not in told


def test_an_unknown_status_is_refused_with_those_there_are(ran: Any) -> None:
    told = ran.call("docs", "--status", "deliverd")
    assert told.code == 2
    assert "stored, sealed, delivered, dead, held" in told.err
    assert "did you mean delivered?" in told.err


def test_a_filter_that_matches_no_document_says_how_many_there_are(ran: Any) -> None:
    (there,) = ran.sql("select count(*) from documents")[0]
    assert f"No document matches; this ledger has {there}." in ran.call("docs", "--partner", "nobody").out


@pytest.mark.usefixtures("watched")
def test_status_says_why_the_last_run_failed_and_where_to_look(desk: Any) -> None:
    desk.bills.write_text("no JSON\n")
    assert desk.run().code != 0
    told = desk.call("status")
    (problem,) = desk.sql("select problem ->> 'what' from runs")[0]
    assert problem in told.out
    assert "show r-1" in told.err


def test_an_exception_without_why_or_mend_leaves_no_empty_lines(ran: Any) -> None:
    ran.sql("delete from dead_letters")
    ran.letters(1)
    lines = ran.call("dead").out.splitlines()
    assert lines == [
        "MLC-TEST-0001  Something is wrong",
        "  1 exception, 1.00 USD, data, owner: AP",
        "  x-1  bill K1",
        "",
    ]


def test_an_id_of_another_kind_is_no_run(ran: Any) -> None:
    assert ran.call("docs", "--run", "d-1").code == 2
    assert ran.call("docs", "--run", "r-99999999999999999999").code == 2
    assert len(ran.call("docs", "--run", "1", "--json").json["items"]) == len(
        ran.call("docs", "--run", "r-1", "--json").json["items"]
    )
