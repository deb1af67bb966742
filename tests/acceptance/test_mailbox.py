"""`flows/mailbox.yaml` by the real command: whatever partners leave in several mailboxes comes to where it belongs, once, byte for byte."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline import SystemClock
from stages.ap.partners import load_partners
from stages.sterling.simulator import Fault, SterlingSimulator, open_mailbox

NOW = datetime.now(UTC)
PARTNER = """
partner: {code}
name: {code}
vendors: [V-{code}]
identity: {{ isa: {{ qualifier: ZZ, id: {code}ID }}, gs: {code}ID }}
mailbox: /{code}/Inbound
{more}
"""
OTHERS = {
    "prices.csv": "sku;price\n4711;1,20\nÄ-1;3\n".encode(),
    "catalogue.xml": b"<?xml version='1.0' encoding='UTF-8'?>\n<catalogue><item sku='4711'/></catalogue>",
    "offer.json": b'{"items": [1, 2]}',
    "label.pdf": b"%PDF-1.7\n\x00\x01\xff\xfe binary",
    "../../etc/passwd": b"root:x:0:0\n",
    "": b"a message without a name",
    "empty.txt": b"",
}


def interchange(sender: str, *groups: str, number: int = 1, mark: str = "~", ta1: str = "") -> bytes:
    """From a partner to us, with the groups as they are given."""
    head = f"ISA*00*          *00*          *ZZ*{sender:<15}*ZZ*HARBORVALE     *{NOW:%y%m%d}*{NOW:%H%M}*U*00401*{number:09d}*0*P*>{mark}"
    body = "".join(group.replace("~", mark) for group in (ta1, *groups))
    return f"{head}{body}IEA*{len(groups)}*{number:09d}{mark}".encode("latin-1")


def group(kind: str, *sets: str, number: int = 1) -> str:
    return (
        f"GS*{kind}*THEM*HARBORVALE*{NOW:%Y%m%d}*{NOW:%H%M}*{number}*X*004010~{''.join(sets)}GE*{len(sets)}*{number}~"
    )


ORDER = "ST*850*{0}~BEG*00*SA*PO{0}**20260101~SE*3*{0}~"
ACCEPTS = "ST*997*0001~AK1*IN*{0}~AK9*A*1*1*1~SE*4*0001~"


class Post:
    """Two partners with a mailbox each, and one mailbox that they share."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig
        for code, more in (("AA", ""), ("BB", ""), ("CC", "acknowledgement: { mailbox: /shared/in }"), ("DD", "acknowledgement: { mailbox: /shared/in }")):  # fmt: skip
            (rig.flows / "partners" / f"{code.lower()}.yaml").write_text(PARTNER.format(code=code, more=more))
        for path in ("/AA/Outbound", "/BB/Outbound", "/shared/in"):
            open_mailbox(rig.sterling.hub, path)

    @property
    def mark(self) -> str:
        """What file names tell this server by."""
        server = self.rig.sterling.url.partition("//")[2].rstrip("/")
        return f"-{hashlib.sha256(server.encode()).hexdigest()[:6]}"

    def leave(self, path: str, name: str, payload: bytes) -> int:
        number: int = self.rig.sterling.deposit(path, name, payload)
        return number

    async def run(self) -> dict[str, Any]:
        told = await self.rig.command("run", str(self.rig.flows / "mailbox.yaml"), "--json")
        report: dict[str, Any] = told.json
        assert report["balanced"], told.err
        return report

    def files(self) -> dict[str, bytes]:
        """What is kept, by its place below the folder."""
        root: Path = self.rig.flows / "inbox"
        return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


async def test_each_kind_of_message_in_each_mailbox_comes_to_where_it_belongs(rigs: Any) -> None:
    async with rigs(0) as rig:
        post = Post(rig)
        expected: dict[str, bytes] = {}
        for path, folder in (("/AA/Outbound", "AA"), ("/BB/Outbound", "BB"), ("/shared/in", "files")):
            for name, payload in OTHERS.items():
                number = post.leave(path, name, payload)
                plain = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or str(number)
                expected[f"{folder}/{number}{post.mark}_{plain}"] = payload
        orders = [ORDER.format(f"000{n}") for n in (1, 2, 3)]
        answer = ACCEPTS.format(9)
        mixed = post.leave(
            "/AA/Outbound",
            "mixed.edi",
            interchange(
                "AAID", group("PO", *orders[:2]), group("FA", answer, number=2), group("PO", orders[2], number=3)
            ),
        )
        for place, (order, number) in enumerate(zip(orders, (1, 1, 3), strict=True), 1):
            alone = interchange("AAID", group("PO", order, number=number))
            expected[f"AA/{mixed}{post.mark}-{place + (place == 3)}_mixed.edi"] = alone
        post.leave("/BB/Outbound", "ack.edi", interchange("BBID", group("FA", answer)))
        post.leave("/shared/in", "ta1.edi", interchange("CCID", ta1="TA1*000000009*260101*1200*A*000~"))
        odd = post.leave("/shared/in", "odd.edi", interchange("DDID", group("IN", "ST*810*7~BIG*20260101*1\x1d2~SE*3*7~"), mark="\x1c"))  # fmt: skip
        expected[f"files/{odd}{post.mark}-1_odd.edi"] = interchange("DDID", group("IN", "ST*810*7~BIG*20260101*1\x1d2~SE*3*7~"), mark="\x1c")  # fmt: skip
        damaged = post.leave("/BB/Outbound", "half.edi", interchange("BBID", group("PO", orders[0]))[:-40])

        report = await post.run()
        assert (report["read"], report["delivered"], report["dead"]) == (len(OTHERS) * 3 + 5, len(OTHERS) * 3 + 4, 1)
        assert post.files() == expected
        letters = (await rig.command("dead", "--json")).json["items"]
        assert [(letter["key"], letter["partner"]) for letter in letters] == [(str(damaged), "BB")]
        acks = (await rig.command("acks", "--json")).json
        assert [(item["kind"], item["status"], item["partner"]) for item in acks["items"]] == [
            ("TA1", "unmatched", "ZZ:CCID"), ("997", "unmatched", "ZZ:BBID"), ("997", "unmatched", "ZZ:AAID"),
        ]  # fmt: skip
        again = await post.run()
        assert (again["read"], again["documents"]) == (0, 0)
        assert post.files() == expected


REFUSES = "ST*997*0001~AK1*IN*9~AK9*R*1*1*0~SE*4*0001~"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"ISA*", b"Subject: acknowledgement\r\n\r\nISA*"), (b"ISA*", b"isa*"), (b"ST*997", b"ST*0997"), (b"SE*4*0001~", b"")],
)  # fmt: skip
async def test_a_refusal_that_is_damaged_is_for_a_person(rigs: Any, old: bytes, new: bytes) -> None:
    async with rigs(0) as rig:
        post = Post(rig)
        post.leave("/AA/Outbound", "a.edi", interchange("AAID", group("FA", REFUSES)).replace(old, new, 1))
        report = await post.run()
        assert (report["read"], report["dead"]) == (1, 1)
        (letter,) = (await rig.command("dead", "--json")).json["items"]
        assert letter["code"] in ("MLC-X12-0601", "MLC-X12-0603")  # whichever of both that read it is first
        assert letter["partner"] == "AA"


async def test_a_message_read_again_makes_no_second_file(rigs: Any) -> None:
    async with rigs(0) as rig:
        post = Post(rig)
        post.leave("/AA/Outbound", "a.csv", b"1")
        post.leave(
            "/AA/Outbound", "b.edi", interchange("AAID", group("PO", ORDER.format("0001"), ORDER.format("0002")))
        )
        await post.run()
        before = post.files()
        told = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json", "--since", "2000-01-01")
        assert (told.json["read"], told.json["unchanged"], told.json["documents"]) == (2, 2, 0)
        assert post.files() == before
        assert len(before) == 3


@pytest.mark.parametrize("after", ["leave", "extract"])
@pytest.mark.parametrize(
    "moment", ["POST documents/*getpayload*", "POST mailboxmessages/*extract*"], ids=["fetching", "extracting"]
)
@pytest.mark.parametrize("purges", [True, False])
async def test_a_killed_run_loses_nothing_hands_nothing_on_twice_and_extracts_each_message_once(
    rigs: Any, after: str, moment: str, purges: bool
) -> None:
    """Killed in the middle of fetching, or between keeping and extracting; where a server purges, messages go away once they are extracted."""
    async with rigs(0) as rig:
        post = Post(rig)
        source = "with: { partners: partners/ }"
        rig.edit((source, source.replace(" }", f", after: {after} }}")), name="mailbox.yaml")
        kept = [post.leave("/AA/Outbound", f"{n}.csv", b"row %d" % n) for n in range(70)]
        for number in kept:
            message = rig.sterling.hub.messages[number]
            message.always, message.count = None, 1 if purges else 5
        rig.sterling.faults.add(Fault(kind="effect", match=moment, skip=30, on_effect=rig.kill))
        child = await rig.start("run", str(rig.flows / "mailbox.yaml"), "--json")
        died = (await child.ends()).code
        assert died == (0 if (after, moment[:10]) == ("leave", "POST mailb") else -9)
        rig.sterling.faults.clear()
        for message in list(rig.sterling.hub.messages.values()):
            if purges and message.count == 0:
                rig.sterling.consume(message.id)
        await post.run()
        assert post.files() == {f"AA/{number}{post.mark}_{n}.csv": b"row %d" % n for n, number in enumerate(kept)}
        assert rig.rows("select count(*), count(distinct key) from documents") == [(70, 70)]
        extracted = [effect["message"] for effect in rig.sterling.effects() if effect["effect"] == "message.extracted"]
        assert sorted(extracted) == (kept if after == "extract" else [])
        asked = len(rig.sterling.requests)
        await post.run()
        assert not [
            line for line, _ in list(rig.sterling.requests)[asked:] if re.match(r"\w+ mailboxmessages/\d", line)
        ]
        assert await rig.audit() is None


async def test_an_extraction_whose_answer_is_lost_is_not_repeated(rigs: Any) -> None:
    async with rigs(0) as rig:
        post = Post(rig)
        source = "with: { partners: partners/ }"
        rig.edit((source, source.replace(" }", ", after: extract }")), name="mailbox.yaml")
        kept = [post.leave("/AA/Outbound", f"{n}.csv", b"row %d" % n) for n in range(8)]
        for number in kept:
            message = rig.sterling.hub.messages[number]
            message.always, message.count = None, 5
        rig.sterling.faults.add(Fault(kind="reset", match="POST mailboxmessages/*extract", skip=2, times=2, after=True))
        rig.sterling.faults.add(Fault(kind="unavailable", match="POST mailboxmessages/*extract", skip=5, times=1))
        assert (await post.run())["read"] == 8
        assert [rig.sterling.hub.messages[number].count for number in kept] == [4] * 8


async def test_a_flow_pointed_at_another_sterling_reads_that_one_from_the_beginning(rigs: Any) -> None:
    async with rigs(0) as rig:
        mine, other = Post(rig), SterlingSimulator(rig.world, SystemClock())
        open_mailbox(other.hub, "/AA/Outbound")
        assert mine.leave("/AA/Outbound", "a.csv", b"ours") == other.deposit("/AA/Outbound", "a.csv", b"theirs")
        await mine.run()
        async with other.listen():
            flow = str(rig.flows / "mailbox.yaml")
            told = await rig.command("run", flow, "--json", STERLING_URL=other.url)
        assert (told.json["read"], told.json["delivered"], told.json["balanced"]) == (1, 1, True), told.err
        assert sorted(mine.files().values()) == [b"ours", b"theirs"]
        assert (await mine.run())["read"] == 0


def test_the_partner_files_of_this_test_are_sound(tmp_path: Path) -> None:
    (tmp_path / "_default.yaml").write_text("us: { isa: { qualifier: ZZ, id: HARBORVALE }, gs: HARBORVALE }\n")
    (tmp_path / "aa.yaml").write_text(PARTNER.format(code="AA", more=""))
    assert load_partners(tmp_path)[1] == []


CATALOGUE = '''
from xml.etree import ElementTree


def parse(record):
    """One record for each item of a catalogue."""
    items = ElementTree.fromstring(record.body.payload).iter("item")
    return [record.replace(kind="item", body={"sku": item.get("sku"), "partner": record.body.partner}) for item in items]
'''


async def test_a_stage_of_ones_own_gets_one_kind_of_message_and_the_files_keep_the_rest(rigs: Any) -> None:
    async with rigs(0) as rig:
        post = Post(rig)
        (rig.flows / "catalogue.py").write_text(CATALOGUE)
        rig.edit(
            ("{ x12: \"message.format == 'x12'\" }", "{ x12: \"message.format == 'x12'\", catalogue: \"message.format == 'xml'\" }"),
            ("  - files:", '  - items: { map: "./catalogue.py:parse", from: kinds.catalogue }\n  - lines: { encode: generic.json }\n  - files:'),
            ("sink: generic.folder, with:", "sink: generic.folder, from: [lines, files], with:"),
            name="mailbox.yaml",
        )  # fmt: skip
        post.leave("/AA/Outbound", "c.xml", b"<catalogue><item sku='4711'/></catalogue>")
        csv = post.leave("/AA/Outbound", "c.csv", b"4711\n")
        broken = post.leave("/BB/Outbound", "half.xml", b"<catalogue><item")
        report = await post.run()
        assert (report["read"], report["delivered"], report["dead"]) == (3, 2, 1)
        files = post.files()
        assert files.pop(f"AA/{csv}{post.mark}_c.csv") == b"4711\n"
        assert list(files.values()) == [b'{"sku":"4711","partner":"AA"}\n']
        letters = (await rig.command("dead", "--json")).json["items"]
        assert [(letter["key"], letter["stage"]) for letter in letters] == [(str(broken), "items")]


async def test_a_mailbox_that_fails_is_told_and_left_to_the_next_run_while_the_others_are_read(rigs: Any) -> None:
    async with rigs(0) as rig:
        post = Post(rig)
        post.leave("/AA/Outbound", "a.csv", b"1")
        post.leave("/BB/Outbound", "b.csv", b"2")
        rig.sterling.hub.groups["AP_CONNECTOR"].discard("/BB/Outbound Mailbox")
        told = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json")
        assert (told.code, told.json["status"], told.json["read"]) == (5, "exceptions", 1)
        assert "MLC-STL-0331" in told.err
        assert "/BB/Outbound" in told.err
        rig.sterling.hub.groups["AP_CONNECTOR"].add("/BB/Outbound Mailbox")
        told = await rig.command("run", str(rig.flows / "mailbox.yaml"), "--json")
        assert (told.code, told.json["read"]) == (0, 1)
        assert sorted(post.files().values()) == [b"1", b"2"]


async def test_messages_of_a_restored_server_that_gives_ids_again_are_read_and_no_other_is_read_twice(
    rigs: Any,
) -> None:
    async with rigs(0) as rig:
        post = Post(rig)
        numbers = [post.leave("/AA/Outbound", f"{n}.csv", b"old %d" % n) for n in range(4)]
        await post.run()
        again = rig.sterling.hub.messages[numbers[3]]
        again.document.payload, again.created = b"new 3", again.created.replace(year=again.created.year + 1)
        report = await post.run()
        assert (report["read"], report["delivered"]) == (1, 1)
        assert sorted(post.files().values()) == [b"new 3", *(b"old %d" % n for n in range(4))]
        assert (await post.run())["read"] == 0


async def test_a_message_that_only_its_replay_could_take_is_extracted_then(rigs: Any) -> None:
    async with rigs(0) as rig:
        post = Post(rig)
        source = "with: { partners: partners/ }"
        rig.edit((source, source.replace(" }", ", after: extract }")), name="mailbox.yaml")
        number = post.leave("/AA/Outbound", "a.csv", b"1")
        rig.sterling.faults.add(Fault(kind="null_pointer", match="POST documents/*getpayload*", times=None))
        assert (await post.run())["dead"] == 1
        rig.sterling.faults.clear()
        assert (await post.run())["read"] == 0
        (letter,) = (await rig.command("dead", "--json")).json["items"]
        told = await rig.command(
            "replay", "--error", letter["code"], "--flow", str(rig.flows / "mailbox.yaml"), "--json"
        )
        assert told.code == 0, told.err
        extracted = [effect["message"] for effect in rig.sterling.effects() if effect["effect"] == "message.extracted"]
        assert (extracted, list(post.files().values())) == ([number], [b"1"])
