"""The simulated partners read strictly and answer as they are told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from pipeline import SystemClock
from stages.ap.seed.world import SeedPartner, World
from stages.sterling.simulator import SterlingSimulator, correspondence, drawn, open_mailbox, outbound
from stages.sterling.simulator.correspondence import SHARES
from stages.sterling.simulator.interchanges import Unsound, read

INBOX, OUTBOX = "/RIVERBEND/Inbound", "/RIVERBEND/Outbound"
PARTNER = SeedPartner(code="RIVERBEND", name="R", vendors=("V",), mailbox=INBOX)
HEAD = "ISA*00*          *00*          *ZZ*HARBORVALE     *01*0812345678     *250131*1200*U*00401*000000007*{ta1}*P*>~"
BODY = (
    "GS*IN*HARBORVALE*0812345678*20250131*1200*17*X*004010~"
    "ST*810*0001~BIG*20250131*1~TDS*100~SE*4*0001~ST*810*0002~BIG*20250131*2~TDS*200~SE*4*0002~"
    "GE*2*17~IEA*1*000000007~"
)
SOUND = (HEAD.format(ta1=0) + BODY).encode()


@pytest.fixture
def open_() -> Callable[..., Any]:
    """``async with open_(behaviour) as (simulator, correspondents)``."""

    @asynccontextmanager
    async def make(behaviour: str = "accept") -> AsyncIterator[Any]:
        world = World(
            company="H", company_name="H", sender="s", sender_password="s", user="u", user_password="u", entities=(), vendors=(), bills=(),
            purchases=(), partners=(PARTNER,), sterling_user="c", sterling_password="p", now=datetime(2024, 1, 31, tzinfo=UTC),
        )  # fmt: skip
        simulator = SterlingSimulator(world, SystemClock())
        open_mailbox(simulator.hub, OUTBOX)
        async with correspondence(simulator, [PARTNER], {"RIVERBEND": behaviour}) as partners:  # type: ignore[dict-item]
            yield simulator, partners

    return make


def answers(simulator: SterlingSimulator) -> list[str]:
    return [message.document.payload.decode() for message in simulator.messages(OUTBOX)]


def segments(answer: str, *ids: str) -> list[str]:
    return [segment for segment in answer.split("~") if segment.partition("*")[0] in ids]


def test_a_sound_interchange_is_read_with_its_groups_and_sets() -> None:
    found = read(SOUND)
    assert [(group.number, [one.control for one in group.sets]) for group in found.groups] == [("17", ["0001", "0002"])]
    assert not any(one.codes for one in found.groups[0].sets)


UNSOUND = {
    "nothing": (b"", ""), "no header": (b"hello" * 40, ""), "a short header": (SOUND.replace(b"HARBORVALE     ", b"HARBORVALE", 1), ""),
    "a day that is none": (SOUND.replace(b"*250131*1200*U", b"*250132*1200*U", 1), "014"), "an hour that is none": (SOUND.replace(b"*1200*U", b"*2400*U", 1), "015"),
    "another version": (SOUND.replace(b"*00401*", b"*99999*", 1), "017"), "number zero": (SOUND.replace(b"*000000007*0", b"*000000000*0", 1), "018"),
    "an odd request": (SOUND.replace(b"*0*P*", b"*2*P*", 1), "019"), "an odd usage": (SOUND.replace(b"*0*P*", b"*0*X*", 1), "020"),
    "another IEA02": (SOUND.replace(b"IEA*1*000000007", b"IEA*1*000000008"), "001"), "too many groups": (SOUND.replace(b"IEA*1", b"IEA*2"), "021"),
    "no last terminator": (SOUND[:-1], "022"), "no IEA": (SOUND.replace(b"IEA", b"IEB"), "023"), "no GE": (SOUND.replace(b"GE*", b"GG*"), "024"),
    "something after": (SOUND + b"x~", "023"), "a segment between sets": (SOUND.replace(b"ST*810*0002", b"REF*IA*2~ST*810*0002"), "024"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSOUND)
def test_an_unsound_envelope_is_refused_with_its_note(name: str) -> None:
    payload, note = UNSOUND[name]
    with pytest.raises(Unsound) as caught:
        read(payload)
    assert caught.value.note == note


@pytest.mark.parametrize(
    ("change", "group", "sets"),
    [((b"SE*4*0001", b"SE*3*0001"), [], [["4"], []]), ((b"SE*4*0002", b"SE*4*0009"), [], [[], ["3"]]),
     ((b"GE*2*17", b"GE*2*18"), ["4"], [[], []]), ((b"GE*2*17", b"GE*3*17"), ["5"], [[], []])],
)  # fmt: skip
def test_what_is_wrong_inside_is_noted_where_it_is(
    change: tuple[bytes, bytes], group: list[str], sets: list[list[str]]
) -> None:
    found = read(SOUND.replace(*change)).groups[0]
    assert (found.codes, [one.codes for one in found.sets]) == (group, sets)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [("accept", ["AK5*A", "AK5*A", "AK9*A*2*2*2"]), ("errors", ["AK5*E*5", "AK5*E*5", "AK9*E*2*2*2"]),
     ("reject", ["AK5*R*5", "AK5*R*5", "AK9*R*2*2*0"]), ("partial", ["AK5*R*5", "AK5*A", "AK9*P*2*2*1"])],
)  # fmt: skip
async def test_each_behaviour_answers_in_its_way(open_: Any, behaviour: str, said: list[str]) -> None:
    async with open_(behaviour) as (simulator, _):
        simulator.deposit(INBOX, "a.edi", SOUND)
        (answer,) = answers(simulator)
        assert segments(answer, "AK5", "AK9") == said
        assert segments(answer, "AK1", "AK2") == ["AK1*IN*17", "AK2*810*0001", "AK2*810*0002"]
        assert [part.strip() for part in answer.split("*")[5:9]] == ["01", "0812345678", "ZZ", "HARBORVALE"]
        read(answer.encode())


async def test_a_partner_that_refuses_what_a_document_says_accepts_its_x12_and_answers_with_an_824(open_: Any) -> None:
    async with open_("refuse") as (simulator, _):
        simulator.deposit(INBOX, "a.edi", SOUND.replace(b"BIG*20250131*1~", b"BIG*20250131*INV-9~"))
        advice, answer = answers(simulator)
        assert segments(answer, "AK5", "AK9") == ["AK5*A", "AK5*A", "AK9*A*2*2*2"]
        assert segments(advice, "GS", "ST", "OTI") == [
            segments(advice, "GS")[0], "ST*824*0001", "OTI*TR*IV*INV-9*****17*0001*810",
        ]  # fmt: skip
        assert segments(advice, "GS")[0].startswith("GS*AG*")
        assert {"3", "4"}.isdisjoint(read(advice.encode()).groups[0].sets[0].codes)
        simulator.deposit(INBOX, "bad.edi", SOUND.replace(b"IEA*1*", b"IEA*4*"))
        assert len(answers(simulator)) == 3


ORDER = (
    HEAD.format(ta1=0)
    + "GS*PO*HARBORVALE*0812345678*20250131*1200*17*X*004010~"
    + "ST*850*0001~BEG*00*SA*PO-1**20250130~PO1*1*5*EA*10.64**IN*1~PO1*2*1*CA*3**IN*2~CTT*2~SE*6*0001~"
    + "ST*850*0002~BEG*00*SA*PO-2**20250130~PO1*1*5*EA*10.64**IN*1~CTT*1~SE*5*0002~GE*2*17~IEA*1*000000007~"
).encode()


@pytest.mark.parametrize(
    ("how", "said"),
    [("accept", ["BAK*00*AD*PO-1*{0}*****20250130", "ACK*IA*5*EA", "ACK*IA*1*CA", "BAK*00*AD*PO-2*{0}*****20250130", "ACK*IA*5*EA"]),
     ("change", ["BAK*00*AC*PO-1*{0}*****20250130", "ACK*IQ*4*EA", "ACK*IA*1*CA", "BAK*00*AC*PO-2*{0}*****20250130", "ACK*IQ*4*EA"]),
     ("reject", ["BAK*00*RJ*PO-1*{0}*****20250130", "BAK*00*RJ*PO-2*{0}*****20250130"])],
)  # fmt: skip
async def test_orders_are_answered_with_an_855_each(open_: Any, how: str, said: list[str]) -> None:
    async with open_() as (simulator, partners):
        partners.orders["RIVERBEND"] = how
        simulator.deposit(INBOX, "a.edi", ORDER)
        functional, answer = answers(simulator)
        assert segments(functional, "AK5") == ["AK5*A", "AK5*A"]
        today = segments(answer, "GS")[0].split("*")[4]
        assert segments(answer, "BAK", "ACK") == [line.format(today) for line in said]
        found = read(answer.encode()).groups[0]
        assert (found.functional, [one.code for one in found.sets]) == ("PR", ["855", "855"])
        assert all({"3", "4"}.isdisjoint(one.codes) for one in found.sets)


@pytest.mark.parametrize(
    ("behaviour", "count"), [("reject", 0), ("never", 0), ("partial", 1), ("twice", 2), ("errors", 2)]
)
async def test_only_orders_whose_x12_was_accepted_are_answered(open_: Any, behaviour: str, count: int) -> None:
    async with open_(behaviour) as (simulator, partners):
        partners.orders["RIVERBEND"] = "accept"
        simulator.deposit(INBOX, "a.edi", ORDER)
        sets = [len(segments(answer, "BAK")) for answer in answers(simulator)]
        assert sum(sets) == count * (2 if behaviour == "twice" else 1)


async def test_invoices_get_no_855(open_: Any) -> None:
    async with open_() as (simulator, partners):
        partners.orders["RIVERBEND"] = "accept"
        simulator.deposit(INBOX, "a.edi", SOUND)
        assert len(answers(simulator)) == 1


@pytest.mark.parametrize(("how", "left", "extracted"), [("extract", 1, 1), ("delete", 0, 1), ("read", 1, 0)])
@pytest.mark.parametrize("behaviour", ["accept", "never"])
async def test_a_partner_takes_its_messages_in_its_way(
    open_: Any, how: str, left: int, extracted: int, behaviour: str
) -> None:
    async with open_(behaviour) as (simulator, partners):
        partners.taking["RIVERBEND"] = how
        simulator.deposit(INBOX, "a.edi", SOUND)
        effects = [effect["effect"] for effect in simulator.effects()]
        assert (len(simulator.messages(INBOX)), effects.count("message.extracted")) == (left, extracted)
        assert next(each.name for each in simulator.hub.documents.values()) == "a.edi"


async def test_a_message_that_is_used_up_is_not_read_again(open_: Any) -> None:
    async with open_() as (simulator, partners):
        document = simulator.hub.add_document("a.edi", SOUND)
        simulator.hub.add_message(simulator.hub.paths[INBOX], "a.edi", document, count=0)
        assert (answers(simulator), len(partners.refused)) == ([], 1)


INSIDE = {
    "an unknown segment": (b"TDS*100", b"XYZ*1~TDS*100", 1, ["AK3*XYZ*3**1"]),
    "no total": (b"TDS*100~", b"", -1, ["AK3*TDS*3**3"]),
    "another first segment": (b"BIG*20250131*1~", b"REF*IA*1~", 0, ["AK3*BIG*2**3"]),
    "no number": (b"BIG*20250131*1~", b"BIG*20250131~", 0, ["AK3*BIG*2**8", "AK4*2*76*1"]),
    "no date": (b"BIG*20250131*1~", b"BIG*20251331*1~", 0, ["AK3*BIG*2**8", "AK4*1*373*8*20251331"]),
    "no whole number": (b"TDS*100", b"TDS*1.00", 0, ["AK3*TDS*3**8", "AK4*1*610*6*1.00"]),
    "a separator that trails": (b"TDS*100", b"TDS*100*", 0, ["AK3*TDS*3**8", "AK4*2**1"]),
    "lines that do not add up": (b"TDS*100", b"TDS*100~CTT*2", 1, ["AK3*CTT*4**8", "AK4*1*354*7*2"]),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
async def test_what_a_partner_cannot_process_is_rejected_and_pointed_at(open_: Any, name: str) -> None:
    old, new, more, told = INSIDE[name]
    async with open_() as (simulator, _):
        payload = SOUND.replace(old, new, 1).replace(b"SE*4*0001", b"SE*%d*0001" % (4 + more), 1)
        simulator.deposit(INBOX, "a.edi", payload)
        (answer,) = answers(simulator)
        assert segments(answer, "AK3", "AK4") == told
        assert segments(answer, "AK5", "AK9") == ["AK5*R*5", "AK5*A", "AK9*P*2*2*1"]


async def test_a_set_that_its_group_does_not_hold_is_not_supported(open_: Any) -> None:
    async with open_() as (simulator, _):
        simulator.deposit(INBOX, "a.edi", SOUND.replace(b"GS*IN", b"GS*PO"))
        (answer,) = answers(simulator)
        assert segments(answer, "AK5", "AK9") == ["AK5*R*1", "AK5*R*1", "AK9*R*2*2*0"]


async def test_a_partner_that_answers_twice_says_the_same_twice(open_: Any) -> None:
    async with open_("twice") as (simulator, _):
        simulator.deposit(INBOX, "a.edi", SOUND)
        first, second = answers(simulator)
        assert first == second


async def test_a_late_answer_comes_later_and_never_after_the_end(open_: Any) -> None:
    async with open_("late") as (simulator, partners):
        partners.late_seconds = 0.01
        simulator.deposit(INBOX, "a.edi", SOUND)
        assert answers(simulator) == []
        with anyio.fail_after(5):
            while not answers(simulator):
                await anyio.sleep(0.005)
        partners.late_seconds = 3600.0
        simulator.deposit(INBOX, "b.edi", SOUND.replace(b"000000007", b"000000008"))
    assert len(answers(simulator)) == 1


async def test_a_partner_that_never_answers_does_not(open_: Any) -> None:
    async with open_("never") as (simulator, partners):
        simulator.deposit(INBOX, "a.edi", SOUND)
        assert (answers(simulator), partners.answered) == ([], [])


async def test_a_ta1_is_sent_when_asked_for_when_refused_and_for_a_repetition(open_: Any) -> None:
    async with open_() as (simulator, partners):
        asked = (HEAD.format(ta1=1) + BODY).encode()
        simulator.deposit(INBOX, "a.edi", asked)
        simulator.deposit(INBOX, "again.edi", asked)
        simulator.deposit(INBOX, "bad.edi", SOUND.replace(b"IEA*1*", b"IEA*4*"))
        simulator.deposit(INBOX, "text.edi", b"hello")
        told = [segments(answer, "TA1", "AK9") for answer in answers(simulator)]
        assert told == [
            ["TA1*000000007*250131*1200*A*000", "AK9*A*2*2*2"], ["TA1*000000007*250131*1200*R*025"], ["TA1*000000007*250131*1200*R*021"],
        ]  # fmt: skip
        assert len(partners.refused) == 3


def test_every_behaviour_has_its_share_and_the_same_seed_draws_the_same() -> None:
    many = [SeedPartner(code=f"P{n}", name="", vendors=(), mailbox=f"/P{n}/Inbound") for n in range(40)]
    assert set(drawn(many, 3, SHARES).values()) == set(SHARES)
    assert drawn(many, 3, SHARES) == drawn(many, 3, SHARES) != drawn(many, 4, SHARES)
    assert drawn([], 1, SHARES) == {}


@pytest.mark.parametrize(
    ("mailbox", "answers_in"),
    [("/A/Inbound", "/A/Outbound"), ("/A/b/in", "/A/b/Outbound"), ("/A", "/A/Outbound"), ("/A/Outbound", "/A/Outbound/Outbound")],
)  # fmt: skip
def test_a_partner_answers_beside_its_mailbox(mailbox: str, answers_in: str) -> None:
    assert outbound(mailbox) == answers_in
