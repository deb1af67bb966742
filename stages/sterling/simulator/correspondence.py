"""Partners that behave: they pick up what arrives in their mailboxes, read it strictly, and answer beside it, each in its own way.

The reader and the writer are the partners' own and share nothing with the connector's. Sources: X12.5 interchange control
structures; X12 sets 997 and TA1; the codes of elements I18, 715, 716, 717 and 718.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, get_args

import anyio

from stages.ap.seed.world import SeedPartner
from stages.sterling.simulator.hub import Message
from stages.sterling.simulator.server import SterlingSimulator

Behaviour = Literal["accept", "errors", "reject", "partial", "late", "never", "twice", "refuse"]
"""What a partner does with a sound interchange. An unsound one is refused by all but those who never answer.

Those who ``refuse`` find nothing wrong with the X12, and then refuse the first document of each group for what it says, by an 824.
"""

SHARES = {"accept": 56, "errors": 9, "reject": 6, "partial": 5, "late": 7, "never": 6, "twice": 7, "refuse": 4}
LATE_SECONDS = 2.0


_NUMBERED = {"BIG": 2, "BEG": 3}
"""The segment that holds the number of an invoice or order, and where in it."""

_QUALIFIERS = {"810": "IV", "850": "PO"}


class Unsound(Exception):
    """An envelope that cannot be taken: ``note`` is element I18. Its text is for the simulator's log."""

    def __init__(self, note: str, why: str) -> None:
        super().__init__(why)
        self.note = note


@dataclass
class Set:
    """One transaction set. ``codes`` (element 718) say what is wrong with it."""

    code: str
    control: str
    codes: list[str] = field(default_factory=list)
    reference: str = ""  # the number it carries


@dataclass
class Group:
    functional: str
    number: str
    version: str
    sets: list[Set] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)  # element 716


@dataclass
class Interchange:
    """``head`` are the elements of ISA, from 1; ``marks`` element separator, terminator and component separator."""

    head: list[str]
    marks: tuple[str, str, str]
    groups: list[Group] = field(default_factory=list)


def outbound(mailbox: str) -> str:
    """Where a partner leaves its answers: beside the mailbox it is sent to."""
    parent, _, last = mailbox.rpartition("/")
    return f"{parent}/Outbound" if parent and last != "Outbound" else f"{mailbox}/Outbound"


def read_head(payload: bytes) -> Interchange:
    """The fixed header. `Unsound` with no note when it is no header at all: then there is nobody to answer."""
    text = payload[:106].decode("latin-1")
    if len(text) < 106 or not text.startswith("ISA"):
        raise Unsound("", "no ISA of 106 characters")
    mark, component, terminator = text[3], text[104], text[105]
    head = text[:105].split(mark)
    widths = [len(part) for part in head]
    if widths != [3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1]:
        raise Unsound("", f"the elements of ISA have the widths {widths}")
    return Interchange(head, (mark, terminator, component))


def read(payload: bytes) -> Interchange:
    """A whole interchange, nothing before and nothing after. `Unsound` when its envelope does not hold."""
    found = read_head(payload)
    mark, terminator, _ = found.marks
    lines = [line.strip("\r\n") for line in payload.decode("latin-1").split(terminator)]
    if lines[-1]:
        raise Unsound("022", "the last segment has no terminator")
    rows = [line.split(mark) for line in lines[1:-1]]
    if not rows or rows[-1][0] != "IEA" or any(row[0] == "IEA" for row in rows[:-1]):
        raise Unsound("023", "it does not end with its only IEA")
    tail = rows.pop()
    if tail[2:] != [found.head[13]]:
        raise Unsound("001", "IEA02 is not ISA13")
    while rows:
        rows = _read_group(found, rows)
    if tail[1] != str(len(found.groups)):
        raise Unsound("021", "IEA01 is not the number of groups")
    return found


def _read_group(found: Interchange, rows: list[list[str]]) -> list[list[str]]:
    """Takes one group from the front of the rows."""
    head = rows[0]
    end = next((n for n, row in enumerate(rows) if row[0] == "GE"), None)
    if head[0] != "GS" or len(head) != 9 or end is None:
        raise Unsound("024", "a group does not begin with GS or does not end with GE")
    group = Group(head[1], head[6], head[8])
    inner, tail = rows[1:end], rows[end]
    while inner:
        inner = _read_set(group, inner)
    group.codes += ["4"] if tail[2:] != [group.number] else []
    group.codes += ["5"] if tail[1] != str(len(group.sets)) else []
    found.groups.append(group)
    return rows[end + 1 :]


def _read_set(group: Group, rows: list[list[str]]) -> list[list[str]]:
    head = rows[0]
    if head[0] != "ST" or len(head) < 3:
        raise Unsound("024", f"a segment {head[0]} stands outside of a set")
    found = Set(head[1], head[2])
    group.sets.append(found)
    end = next((n for n, row in enumerate(rows) if row[0] == "SE"), None)
    if end is None:
        found.codes.append("2")
        return []
    number = next((row for row in rows[1:end] if row[0] in _NUMBERED), [""])
    found.reference = dict(enumerate(number)).get(_NUMBERED.get(number[0], 0), "")
    tail = rows[end]
    found.codes += ["3"] if tail[2:] != [found.control] else []
    found.codes += ["4"] if tail[1] != str(end + 1) else []
    return rows[end + 1 :]


class Correspondents:
    """All partners of a simulator. ``behaviour`` of each by its code; a test changes it, and reads ``answered`` and ``refused``."""

    def __init__(
        self, simulator: SterlingSimulator, partners: Sequence[SeedPartner], behaviour: Mapping[str, Behaviour]
    ) -> None:
        self.behaviour: dict[str, Behaviour] = {
            partner.code: behaviour.get(partner.code, "accept") for partner in partners
        }
        self.answered: list[tuple[str, str]] = []  # (partner, the answer's message name)
        self.refused: list[str] = []  # what could not be read, and why
        self.late_seconds = LATE_SECONDS
        self._simulator = simulator
        self._by_mailbox = {partner.mailbox: partner.code for partner in partners}
        self._seen: set[tuple[str, ...]] = set()
        self._numbers: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def arrived(self, message: Message) -> None:
        """What a watcher of the simulator is called with."""
        code = self._by_mailbox.get(message.mailbox.path)
        if code is None or self.behaviour[code] == "never":
            return
        payload = self._simulator.hub.extract(message)
        try:
            found = read_head(payload)
            answer = self._answer(code, payload)
        except Unsound as error:
            self.refused.append(f"{message.name}: {error}")
            if not error.note:
                return
            answer = self._whole(code, found, [], self._ta1(found, "R", error.note))
        else:
            if self.behaviour[code] == "refuse":
                self._deposit(code, message.mailbox.path, self._advice(code, payload))
        self._send(code, message.mailbox.path, answer)

    def _send(self, code: str, mailbox: str, answer: bytes) -> None:
        behaviour = self.behaviour[code]
        if behaviour == "late":
            task = asyncio.get_running_loop().create_task(self._late(code, mailbox, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        for _ in range(2 if behaviour == "twice" else 1):
            self._deposit(code, mailbox, answer)

    async def _late(self, code: str, mailbox: str, answer: bytes) -> None:
        await self._simulator.hub.clock.sleep(self.late_seconds)
        self._deposit(code, mailbox, answer)

    def _deposit(self, code: str, mailbox: str, answer: bytes) -> None:
        name = f"{code}_{len(self.answered) + 1:06d}.edi"
        self.answered.append((code, name))
        self._simulator.deposit(outbound(mailbox), name, answer)

    async def end(self) -> None:
        """Answers that are still late never come."""
        for task in list(self._tasks):
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what a partner writes ---

    def _answer(self, code: str, payload: bytes) -> bytes:
        found = read(payload)
        key = (*found.head[5:9], found.head[15], found.head[13])
        if key in self._seen:
            raise Unsound("025", "this interchange came before")
        self._seen.add(key)
        ta1 = self._ta1(found, "A", "000") if found.head[14] == "1" else ""
        return self._whole(code, found, [self._functional(code, group, found) for group in found.groups], ta1)

    def _advice(self, code: str, payload: bytes) -> bytes:
        """An 824 for the first document of each group: its application has refused what it says."""
        found = read(payload)
        now = self._simulator.hub.clock.now()
        advices = [
            [
                ["BGN", "11", f"{group.number}", f"{now:%Y%m%d}", f"{now:%H%M}"],
                [
                    "OTI",
                    "TR",
                    _QUALIFIERS.get(one.code, "TN"),
                    one.reference,
                    "",
                    "",
                    "",
                    "",
                    group.number,
                    one.control,
                    one.code,
                ],
                ["TED", "006", "THIS NUMBER IS NOT KNOWN HERE", "", "", "", "", one.reference],
            ]
            for group in found.groups
            for one in group.sets[:1]
        ]
        return self._whole(code, found, advices, "", ("AG", "824"))

    def _functional(self, code: str, group: Group, found: Interchange) -> list[list[str]]:
        """A 997: every set that was received, named."""
        rows = [["AK1", group.functional, group.number]]
        bad = 0
        for place, one in enumerate(group.sets):
            status, notes = self._judged(self.behaviour[code], one, place)
            bad += status == "R"
            rows.append(["AK2", one.code, one.control])
            rows += notes
            rows.append(["AK5", status, *(one.codes or (["5"] if notes or status == "R" else []))])
        total = len(group.sets)
        errors = any(row[:2] == ["AK5", "E"] for row in rows)
        status = "R" if group.codes or (bad and bad == total) else "P" if bad else "E" if errors else "A"
        accepted = 0 if status == "R" else total - bad
        return [*rows, ["AK9", status, str(total), str(total), str(accepted), *group.codes]]

    def _judged(self, behaviour: Behaviour, one: Set, place: int) -> tuple[str, list[list[str]]]:
        """AK501 for a set, and the AK3 and AK4 that go with it."""
        note = [["AK3", "REF", "3", "", "8"], ["AK4", "2", "127", "7", one.code]]
        if one.codes or behaviour == "reject" or (behaviour == "partial" and place == 0):
            return "R", [] if one.codes else note
        return ("E", note) if behaviour == "errors" else ("A", [])

    def _ta1(self, found: Interchange, status: str, note: str) -> str:
        return found.marks[0].join(["TA1", found.head[13], found.head[9], found.head[10], status, note])

    def _whole(
        self,
        code: str,
        found: Interchange,
        answers: list[list[list[str]]],
        ta1: str,
        kind: tuple[str, str] = ("FA", "997"),
    ) -> bytes:
        """An interchange back, ids swapped: the TA1, then one group with these sets (a 997 for each group that came)."""
        mark, terminator, component = found.marks
        head, now = found.head, self._simulator.hub.clock.now()
        number = self._numbers[code] = self._numbers.get(code, 0) + 1
        isa = [*head[:5], head[7], head[8], head[5], head[6], f"{now:%y%m%d}", f"{now:%H%M}", head[11], head[12]]
        isa += [f"{number:09d}", "0", head[15], component]
        lines = [mark.join(isa), *([ta1] if ta1 else [])]
        if answers:
            version = found.groups[0].version[:6]
            them, us = head[8].strip(), head[6].strip()
            lines.append(
                mark.join(["GS", kind[0], them, us, f"{now:%Y%m%d}", f"{now:%H%M}", str(number), "X", version])
            )
            for place, rows in enumerate(answers, 1):
                control = f"{place:04d}"
                body = [["ST", kind[1], control], *rows]
                body.append(["SE", str(len(body) + 1), control])
                lines += [mark.join(row) for row in body]
            lines.append(mark.join(["GE", str(len(answers)), str(number)]))
        lines.append(mark.join(["IEA", "1" if answers else "0", f"{number:09d}"]))
        return "".join(line + terminator for line in lines).encode("latin-1")


def drawn(partners: Sequence[SeedPartner], seed: int) -> dict[str, Behaviour]:
    """A behaviour for each partner, each kind in its share: the same seed draws the same."""
    kinds: tuple[Behaviour, ...] = get_args(Behaviour)
    total = sum(SHARES.values())
    deck = [kind for kind in kinds[1:] for _ in range(math.ceil(SHARES[kind] * len(partners) / total))]
    deck += ["accept"] * (len(partners) - len(deck))
    random.Random(seed).shuffle(deck)
    return {partner.code: kind for partner, kind in zip(partners, deck, strict=False)}


@asynccontextmanager
async def correspondence(
    simulator: SterlingSimulator, partners: Sequence[SeedPartner], behaviour: Mapping[str, Behaviour]
) -> AsyncIterator[Correspondents]:
    """Partners that answer for as long as the block lasts. Their mailboxes must be there, those for answers too."""
    found = Correspondents(simulator, partners, behaviour)
    simulator.watch(found.arrived)
    try:
        yield found
    finally:
        simulator.hub.watchers.remove(found.arrived)
        await found.end()
