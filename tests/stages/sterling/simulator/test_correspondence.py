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
from stages.sterling.simulator.correspondence import SHARES, Unsound, read

INBOX, OUTBOX = "/RIVERBEND/Inbound", "/RIVERBEND/Outbound"
PARTNER = SeedPartner(code="RIVERBEND", name="R", vendors=("V",), mailbox=INBOX)
HEAD = "ISA*00*          *00*          *ZZ*HARBORVALE     *01*0812345678     *250131*1200*U*00401*000000007*{ta1}*P*>~"
BODY = (
    "GS*IN*HARBORVALE*0812345678*20250131*1200*17*X*004010~"
    "ST*810*0001~BIG*20250131*1~SE*3*0001~ST*810*0002~BIG*20250131*2~SE*3*0002~"
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
    [((b"SE*3*0001", b"SE*4*0001"), [], [["4"], []]), ((b"SE*3*0002", b"SE*3*0009"), [], [[], ["3"]]),
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
        assert read(advice.encode()).groups[0].sets[0].codes == []
        simulator.deposit(INBOX, "bad.edi", SOUND.replace(b"IEA*1*", b"IEA*4*"))
        assert len(answers(simulator)) == 3


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
    assert set(drawn(many, 3).values()) == set(SHARES)
    assert drawn(many, 3) == drawn(many, 3) != drawn(many, 4)
    assert drawn([], 1) == {}


@pytest.mark.parametrize(
    ("mailbox", "answers_in"),
    [("/A/Inbound", "/A/Outbound"), ("/A/b/in", "/A/b/Outbound"), ("/A", "/A/Outbound"), ("/A/Outbound", "/A/Outbound/Outbound")],
)  # fmt: skip
def test_a_partner_answers_beside_its_mailbox(mailbox: str, answers_in: str) -> None:
    assert outbound(mailbox) == answers_in
