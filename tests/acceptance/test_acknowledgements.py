"""Bills go out, partners answer in their own way, and the ledger knows what each document came to; the partners' own words are the oracle."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stages.ap.seed.world import SeedPartner
from stages.sterling.simulator import Fault, correspondence, open_mailbox, outbound

BEHAVIOURS = ["accept", "errors", "reject", "partial", "late", "never", "twice", "refuse"]
BILLS = 120
ZZ = "partner: ZZ\nname: Z\nvendors: [V-ZZ]\nidentity: { isa: { qualifier: ZZ, id: ZZZ }, gs: ZZZ }\nmailbox: /ZZ/Inbound\n"


@asynccontextmanager
async def answering(rig: Any, **settings: Any) -> Any:
    """The rig's partners answer, each behaviour in turn over those that get something."""
    partners: list[SeedPartner] = list(rig.world.partners)
    for partner in partners:
        open_mailbox(rig.sterling.hub, outbound(partner.mailbox))
    busy = [partner.code for partner in partners if (rig.flows / "partners" / f"{partner.code.lower()}.yaml").exists()]
    behaviour = dict(zip(busy, itertools.cycle(BEHAVIOURS), strict=False))
    async with correspondence(rig.sterling, partners, behaviour) as found:  # type: ignore[arg-type]
        found.late_seconds = settings.get("late_seconds", 3600.0)
        yield found


async def acks(rig: Any, *options: str, **environment: str) -> Any:
    outcome = await rig.command("acks", "--json", "--limit", "10000", *options, **environment)
    assert outcome.code == 0, outcome.err
    return outcome.json


async def read_answers(rig: Any, *options: str) -> dict[str, Any]:
    outcome = await rig.command("run", str(rig.flows / "acknowledgements.yaml"), "--json", *options)
    report: dict[str, Any] = outcome.json
    assert (outcome.code, report["balanced"], report["dead"]) == (0, True, 0), outcome.err
    return report


def expected(rig: Any, behaviour: dict[str, str]) -> dict[int, str]:
    """The status of each document by what its partner does, from the ledger's own list of what was sent where."""
    found: dict[int, str] = {}
    rows = rig.rows(
        "select id, partner, position from documents where status = 'delivered' and acknowledgement <> '' order by id"
    )
    statuses = {"accept": "accepted", "twice": "accepted", "errors": "accepted_with_errors", "reject": "rejected"}
    for document, partner, position in rows:
        how = behaviour[partner]
        first = "rejected" if position == 1 else "accepted"
        found[document] = first if how in ("partial", "refuse") else statuses.get(how, "waiting")
    return found


def statuses(value: dict[str, Any]) -> dict[int, str]:
    return {int(i["document"][2:]): i["status"] for i in value["items"] if i["document"] and i["status"] != "duplicate"}


async def test_each_document_comes_to_what_its_partner_says_of_it(rigs: Any) -> None:
    async with rigs(BILLS) as rig, answering(rig) as partners:
        await rig.run()
        report = await read_answers(rig)
        assert report["read"] == report["delivered"] == len(partners.answered) > 0
        found = await acks(rig)
        wanted = expected(rig, partners.behaviour)
        assert statuses(found) == wanted
        assert {"accepted", "accepted_with_errors", "rejected", "waiting"} <= set(wanted.values())
        assert not partners.refused
        assert {k: v for k, v in found["counts"].items() if v and k != "duplicate"} == Counter(wanted.values())
        twice = sum(
            partners.behaviour[partner] == "twice"
            for (partner,) in rig.rows("select partner from documents where status = 'delivered'")
        )
        said_again = [item["kind"] for item in found["items"] if item["status"] == "duplicate"]
        assert said_again.count("997") == twice > 0
        assert len(said_again) == found["counts"]["duplicate"]
        assert found["counts"]["unmatched"] == 0
        assert await rig.audit() is None


@pytest.mark.parametrize(("behaviour", "by_997"), [("accept", "accepted"), ("errors", "accepted_with_errors")])
async def test_orders_come_to_the_worse_of_what_their_997_and_their_855_say(
    rigs: Any, behaviour: Any, by_997: str
) -> None:
    says = {
        "accept": by_997,
        "change": "accepted_with_errors",
        "none": by_997,
        "reject": "rejected",
    }  # the worse of both
    async with rigs(BILLS) as rig, answering(rig) as partners:
        ordering = [code for code in sorted(partners.orders) if _orders(rig, code)]
        partners.behaviour |= dict.fromkeys(partners.behaviour, behaviour)
        partners.orders |= dict(zip(ordering, itertools.cycle(says), strict=False))
        await rig.run()
        await read_answers(rig)
        sent = rig.rows("select partner, set_code, acknowledgement from documents where status = 'delivered'")
        for partner, code, status in sent:
            assert status == (says[partners.orders[partner]] if code == "850" else by_997)
        assert {partners.orders[partner] for partner, code, _ in sent if code == "850"} >= {
            "accept",
            "change",
            "reject",
        }


def _orders(rig: Any, partner: str) -> bool:
    """Whether the partner is sent orders, by its file."""
    file = rig.flows / "partners" / f"{partner.lower()}.yaml"
    return file.exists() and '"850"' in file.read_text()


async def test_running_again_reads_nothing_new_and_reading_all_again_changes_nothing(rigs: Any) -> None:
    async with rigs(BILLS) as rig, answering(rig):
        await rig.run()
        first = await read_answers(rig)
        before = await acks(rig)
        assert (await read_answers(rig))["read"] == 0
        again = await read_answers(rig, "--since", "2000-01-01")
        assert (again["read"], again["unchanged"]) == (first["read"], first["read"])
        assert await acks(rig) == before


async def test_late_answers_are_overdue_first_and_settled_when_they_come(rigs: Any) -> None:
    async with rigs(BILLS) as rig, answering(rig, late_seconds=0.2) as partners:
        rig.edit(("within: 24h", "within: 1ms"), name="partners/_default.yaml")
        for file in (rig.flows / "partners").glob("*.yaml"):
            file.write_text(file.read_text().replace("within: 4h", "within: 1ms").replace("within: 2h", "within: 1ms"))
        told = await rig.run()
        overdue = await acks(rig, "--overdue")
        assert overdue["counts"]["overdue"] > 0
        assert f"{overdue['counts']['overdue']} documents not acknowledged in time" in told.err
        status = (await rig.command("status", "--json")).json
        assert status["counts"]["acknowledgements_overdue"] == overdue["counts"]["overdue"]
        of_sets = [len((await acks(rig, "--overdue", "--set", code))["items"]) for code in ("810", "850", "997")]
        assert (sum(of_sets), of_sets[2]) == (len(overdue["items"]), 0)
        assert {item["status"] for item in overdue["items"]} == {"overdue"}
        code = next(
            code
            for code, how in partners.behaviour.items()
            if how == "late" and any(i["partner"] == code for i in overdue["items"])
        )
        async with asyncio.timeout(10):
            while code not in {partner for partner, _ in partners.answered}:
                await asyncio.sleep(0.02)
        await read_answers(rig)
        mine = await acks(rig, "--partner", code.lower())
        assert {item["status"] for item in mine["items"]} == {"accepted"}
        assert (await acks(rig, "--partner", code, "--by", "997"))["items"] == mine["items"]
        assert (await acks(rig, "--partner", code, "--by", "824"))["items"] == []


async def test_a_killed_run_leaves_nothing_unread_and_nothing_twice(rigs: Any) -> None:
    async with rigs(BILLS) as rig, answering(rig) as partners:
        await rig.run()
        rig.sterling.faults.add(
            Fault(
                kind="effect", match="POST documents/*getpayload*", skip=len(partners.answered) // 2, on_effect=rig.kill
            )
        )
        child = await rig.start("run", str(rig.flows / "acknowledgements.yaml"), "--json")
        assert (await child.ends()).code == -9
        rig.sterling.faults.clear()
        await read_answers(rig)
        assert statuses(await acks(rig)) == expected(rig, partners.behaviour)
        assert await rig.audit() is None


async def test_answers_that_came_before_the_ledger_knew_the_documents_are_matched_when_it_does(rigs: Any) -> None:
    """The ledger was put back to a backup and sends with its old numbers: the answers are here already."""
    async with rigs(BILLS) as rig, answering(rig) as partners:
        partners.behaviour |= dict.fromkeys(partners.behaviour, "errors")
        await rig.run(MLC_STORE=rig.other_store("lost"))
        early = await rig.command("run", str(rig.flows / "acknowledgements.yaml"), "--json")
        assert early.json["delivered"] == len(partners.answered) > 0
        counts = (await acks(rig))["counts"]
        assert counts["unmatched"] == sum(counts.values()) >= len(partners.answered)
        partners.behaviour |= dict.fromkeys(partners.behaviour, "never")
        rig.sterling.requests.clear()
        await rig.run()
        assert not [line for line, _ in rig.sterling.requests if "getpayload" in line]
        found = await acks(rig)
        sent = rig.rows("select count(*) from documents where status = 'delivered'")[0][0]
        assert {name: count for name, count in found["counts"].items() if count} == {"accepted_with_errors": sent}
        assert await rig.audit() is None


async def test_an_answer_settles_what_was_in_doubt_without_asking_the_far_side(rigs: Any) -> None:
    async with rigs(BILLS) as rig, answering(rig) as partners:
        partners.behaviour |= dict.fromkeys(partners.behaviour, "accept")
        lost = Fault(kind="reset", match="POST messagebatches", times=None, after=True)
        rig.sterling.faults.add(lost)
        rig.sterling.faults.add(Fault(kind="unavailable", match="GET mailboxmessages*", times=None, skip=1))
        doubtful = await rig.run("--wait", "100ms")
        assert (doubtful.code, doubtful.json["delivered"]) == (5, 0)
        assert doubtful.json["in_doubt"] > 0
        rig.sterling.faults.clear()
        for message in list(rig.sterling.hub.messages.values()):  # the partners take what they have read
            if message.name.startswith("mlc_"):
                rig.sterling.consume(message.id)
        arrived = len(rig.far.arrivals())
        await read_answers(rig)
        states = dict(rig.rows("select state, count(*) from deliveries group by state"))
        assert states["delivered"] == arrived
        assert "in_doubt" not in states
        answered = rig.rows("select distinct status, acknowledgement from documents where delivery is not null")
        assert answered == [("delivered", "accepted")]
        assert (await rig.run()).json["balanced"]
        assert rig.rows("select count(*), count(distinct name) from deliveries")[0] == (len(rig.far.arrivals()),) * 2
        assert await rig.audit() is None


async def test_an_answer_in_another_partners_mailbox_ends_no_doubt_and_is_not_believed(rigs: Any) -> None:
    async with rigs(BILLS) as rig, answering(rig) as partners:
        partners.behaviour |= dict.fromkeys(partners.behaviour, "never")
        rig.sterling.faults.add(Fault(kind="reset", match="POST messagebatches", times=None))  # nothing arrives
        rig.sterling.faults.add(Fault(kind="unavailable", match="GET mailboxmessages*", times=None, skip=1))
        assert (await rig.run("--wait", "100ms")).json["in_doubt"] > 1
        rig.sterling.faults.clear()
        (first, theirs, payload), (_, others, _) = rig.rows(
            "select id, address, payload from deliveries where state = 'in_doubt' order by id limit 2"
        )
        forged = answer_to(payload)
        rig.sterling.deposit(outbound(others), "forged.edi", forged)
        await read_answers(rig)
        state = f"select v.state, max(d.acknowledgement) from deliveries v join documents d on d.delivery = v.id where v.id = {first}"
        assert rig.rows(state) == [("in_doubt", "waiting")]
        told = await rig.command("acks", "--status", "foreign_mailbox", "--json")
        assert {item["document"] for item in told.json["items"]}
        assert "not believed, it says accepted" in told.json["items"][0]["detail"]
        rig.sterling.deposit(outbound(theirs), "own.edi", forged)
        await read_answers(rig)
        assert rig.rows(state) == [("delivered", "accepted")]


def answer_to(payload: bytes) -> bytes:
    """A 997 that accepts the only group of an interchange of ours, from whom it is for."""
    isa, group = (part.split("*") for part in payload.decode().replace("\n", "").split("~")[:2])
    us, them, count = isa[5:7], isa[7:9], payload.count(b"SE*")
    head = "*".join([*isa[:5], *them, *us, *isa[9:13], "000000901", "0", isa[15], isa[16]])
    said = f"ST*997*0001~AK1*{group[1]}*{group[6]}~AK9*A*{count}*{count}*{count}~SE*4*0001~"
    return f"{head}~GS*FA*{group[3]}*{group[2]}*{group[4]}*{group[5]}*1*X*004010~{said}GE*1*1~IEA*1*000000901~".encode()


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [(b"PK\x03\x04", "excluded"), (b"ISA*00*half", "dead"), (b"", "excluded")],
    ids=["no X12", "damaged", "empty"],
)
async def test_other_messages_are_excluded_and_damaged_ones_are_dead_with_their_findings(
    rigs: Any, payload: bytes, outcome: str
) -> None:
    async with rigs(0) as rig:
        (rig.flows / "partners" / "zz.yaml").write_text(ZZ)
        open_mailbox(rig.sterling.hub, "/ZZ/Outbound")
        rig.sterling.deposit("/ZZ/Outbound", "odd.bin", payload)
        done = await rig.command("run", str(rig.flows / "acknowledgements.yaml"), "--json")
        assert (done.json["read"], done.json[outcome], done.json["balanced"]) == (1, 1, True)
        assert rig.rows("select payload from received") == ([(payload,)] if payload else [])
        if outcome == "dead":
            letters = (await rig.command("dead", "--json")).json["items"]
            assert [(letter["code"], letter["partner"]) for letter in letters] == [("MLC-X12-0601", "ZZ")]


@pytest.mark.parametrize("first", ["acknowledgements", "mailbox"])
async def test_two_flows_that_read_the_same_answers_tell_each_of_them_once(rigs: Any, first: str) -> None:
    second = "mailbox" if first == "acknowledgements" else "acknowledgements"
    async with rigs(BILLS) as rig, answering(rig) as partners:
        await rig.run()
        assert (await rig.command("run", str(rig.flows / f"{first}.yaml"), "--json")).code == 0
        before = await acks(rig)
        told = await rig.command("run", str(rig.flows / f"{second}.yaml"), "--json")
        assert (told.code, told.json["read"], told.json["unchanged"]) == (
            0,
            len(partners.answered),
            len(partners.answered),
        )
        assert (await acks(rig)) == before
        assert statuses(before) == expected(rig, partners.behaviour)
        assert await rig.audit() is None


async def test_an_answer_that_two_flows_read_before_its_document_was_known_is_matched_once(rigs: Any) -> None:
    """One flow keeps it unmatched; what it is about is in the ledger when the other reads it."""
    async with rigs(BILLS) as rig, answering(rig) as partners:
        await rig.run(MLC_STORE=rig.other_store("elsewhere"))
        await read_answers(rig)
        assert {item["status"] for item in (await acks(rig))["items"]} == {"unmatched"}
        await rig.run()  # the same bills, the same control numbers
        told = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json")
        assert told.json["balanced"], told.err
        found = (await acks(rig))["items"]
        matched = [item for item in found if item["document"]]
        said = {(item["message"], item["kind"], item["document"]) for item in matched}
        assert len(said) == len(matched) > 0
        assert not {item["message"] for item in found if item["status"] == "unmatched"} & {
            i["message"] for i in matched
        }
        assert len(partners.answered) > 0
