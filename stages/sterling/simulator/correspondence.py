"""Partners that behave: they pick up what arrives in their mailboxes, read it strictly, and answer beside it, each in its own way.

The reader (`interchanges`) and the writer (`answers`) are the partners' own and share nothing with the connector's.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal, TypeVar

import anyio

from stages.ap.seed.world import SeedPartner
from stages.sterling.simulator import answers
from stages.sterling.simulator.entities import Message
from stages.sterling.simulator.interchanges import Group, Interchange, Row, Unsound, read, read_head
from stages.sterling.simulator.server import SterlingSimulator
from stages.sterling.simulator.wire import ApiError

Behaviour = Literal["accept", "errors", "reject", "partial", "late", "never", "twice", "refuse"]
"""What a partner does with a sound interchange. An unsound one is refused by all but those who never answer.

Those who ``refuse`` find nothing wrong with the X12, and then refuse the first document of each group for what it says, by an 824.
"""

Taking = Literal["extract", "delete", "read"]
"""How a partner takes a message: it is extracted, which uses up a counted one; it is extracted and removed, as by the ``mget`` and ``rm``
of an SFTP script; or it is only read, which uses nothing up."""

Orders = Literal["accept", "change", "reject", "none"]
"""What a partner whose 997 accepted an 850 says of the order, by an 855; ``none``: it sends no such answers."""

SHARES: Mapping[Behaviour, int] = {
    "accept": 56, "errors": 9, "reject": 6, "partial": 5, "late": 7, "never": 6, "twice": 7, "refuse": 4,
}  # fmt: skip
TAKING_SHARES: Mapping[Taking, int] = {"extract": 60, "delete": 35, "read": 5}
ORDER_SHARES: Mapping[Orders, int] = {"none": 50, "accept": 32, "change": 10, "reject": 8}
LATE_SECONDS = 2.0

Policy = TypeVar("Policy", bound=str)


class Correspondents:
    """All partners of a simulator. ``behaviour``, ``taking`` and ``orders`` of each are by its code; a test changes them, and reads
    ``answered`` and ``refused``. Where nothing is said they accept, extract, and answer no orders.
    """

    def __init__(
        self,
        simulator: SterlingSimulator,
        partners: Sequence[SeedPartner],
        behaviour: Mapping[str, Behaviour],
        taking: Mapping[str, Taking] | None = None,
        orders: Mapping[str, Orders] | None = None,
    ) -> None:
        codes = [partner.code for partner in partners]
        self.behaviour: dict[str, Behaviour] = {code: behaviour.get(code, "accept") for code in codes}
        self.taking: dict[str, Taking] = {code: (taking or {}).get(code, "extract") for code in codes}
        self.orders: dict[str, Orders] = {code: (orders or {}).get(code, "none") for code in codes}
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
        if code is None:
            return
        payload = self._take(code, message)
        if payload is not None and self.behaviour[code] != "never":
            self._answer(code, message, payload)

    def _take(self, code: str, message: Message) -> bytes | None:
        """None when the message does not let itself be extracted any more."""
        hub = self._simulator.hub
        if self.taking[code] == "read":
            return message.document.payload
        try:
            payload = hub.extract(message)
        except ApiError as error:
            self.refused.append(f"{message.name}: {error}")
            return None
        if self.taking[code] == "delete" and message.id in hub.messages:
            hub.remove_message(message)
        return payload

    def _answer(self, code: str, message: Message, payload: bytes) -> None:
        try:
            head = read_head(payload)
            found = self._read_once(payload)
        except Unsound as error:
            self.refused.append(f"{message.name}: {error}")
            if error.note:
                refusal = self._written(code, head, [], ("", ""), [answers.ta1(head, "R", error.note)])
                self._send(code, message.mailbox.path, [refusal])
            return
        self._send(code, message.mailbox.path, self._answers(code, found))

    def _read_once(self, payload: bytes) -> Interchange:
        found = read(payload)
        key = (*found.head[5:9], found.head[15], found.head[13])
        if key in self._seen:
            raise Unsound("025", "this interchange came before")
        self._seen.add(key)
        return found

    def _answers(self, code: str, found: Interchange) -> list[bytes]:
        """The 824 of those who refuse, the 997 with the TA1 where one was asked for, and the 855s, each an interchange."""
        now = self._simulator.hub.clock.now()
        verdicts = {id(group): self._verdicts(code, group) for group in found.groups}
        written = []
        if self.behaviour[code] == "refuse":
            advices = [answers.advice(group, one, now) for group in found.groups for one in group.sets[:1]]
            written.append(self._written(code, found, advices, ("AG", "824")))
        first = [answers.ta1(found, "A", "000")] if found.head[14] == "1" else []
        told = [answers.functional(group, verdicts[id(group)]) for group in found.groups]
        written.append(self._written(code, found, told, ("FA", "997"), first))
        how = self.orders[code]
        if how != "none":
            orders = [
                answers.order_answer(one, how, now)
                for group in found.groups
                for one, verdict in zip(group.sets, verdicts[id(group)], strict=True)
                if one.code == "850" and verdict != "R" and not group.codes
            ]
            written += [self._written(code, found, orders, ("PR", "855"))] if orders else []
        return written

    def _verdicts(self, code: str, group: Group) -> list[answers.Verdict]:
        """AK501 for each set, by what is wrong with it and by how this partner is."""
        behaviour = self.behaviour[code]
        refused = [
            bool(one.codes) or behaviour == "reject" or (behaviour == "partial" and place == 0)
            for place, one in enumerate(group.sets)
        ]
        return ["R" if bad else "E" if behaviour == "errors" else "A" for bad in refused]

    def _written(
        self, code: str, found: Interchange, sets: Sequence[list[Row]], kind: tuple[str, str], first: Sequence[Row] = ()
    ) -> bytes:
        number = self._numbers[code] = self._numbers.get(code, 0) + 1
        return answers.interchange(found, number, self._simulator.hub.clock.now(), sets, kind, first)

    # --- leaving answers ------------------------------------------------------------------------------------------------

    def _send(self, code: str, mailbox: str, written: Sequence[bytes]) -> None:
        behaviour = self.behaviour[code]
        if behaviour == "late":
            task = asyncio.get_running_loop().create_task(self._late(code, mailbox, written))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        for _ in range(2 if behaviour == "twice" else 1):
            self._deposit(code, mailbox, written)

    async def _late(self, code: str, mailbox: str, written: Sequence[bytes]) -> None:
        await self._simulator.hub.clock.sleep(self.late_seconds)
        self._deposit(code, mailbox, written)

    def _deposit(self, code: str, mailbox: str, written: Sequence[bytes]) -> None:
        for answer in written:
            name = f"{code}_{len(self.answered) + 1:06d}.edi"
            self.answered.append((code, name))
            self._simulator.deposit(outbound(mailbox), name, answer)

    async def end(self) -> None:
        """Answers that are still late never come."""
        for task in list(self._tasks):
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*self._tasks, return_exceptions=True)


def outbound(mailbox: str) -> str:
    """Where a partner leaves its answers: beside the mailbox it is sent to."""
    parent, _, last = mailbox.rpartition("/")
    return f"{parent}/Outbound" if parent and last != "Outbound" else f"{mailbox}/Outbound"


def leave_mail(simulator: SterlingSimulator, partners: Sequence[SeedPartner]) -> None:
    """What some partners have left before anybody asked: a price list, a catalogue, and an X12 document that answers nothing."""
    now = simulator.hub.clock.now()
    for place, partner in enumerate(partners[:6]):
        name, content = _MAIL[place % len(_MAIL)]
        text = content.format(
            code=partner.code, name=partner.name, day=f"{now:%Y%m%d}", time=f"{now:%H%M}", short=f"{now:%y%m%d}"
        )
        simulator.deposit(outbound(partner.mailbox), name.format(code=partner.code), text.encode())


_MAIL = (
    ("prices_{code}.csv", "item;unit;price\n100401;CA;12.89\n100412;BG;26.29\n"),
    (
        "catalogue_{code}.xml",
        '<?xml version="1.0" encoding="UTF-8"?>\n<catalogue from="{name}"><item sku="100401"/></catalogue>\n',
    ),
    (
        "832_{code}.edi",
        "ISA*00*          *00*          *ZZ*{code:<15}*ZZ*HARBORVALE     *{short}*{time}*U*00401*000000901*0*P*>~"
        "GS*SC*{code}*HARBORVALE*{day}*{time}*901*X*004010~ST*832*0001~BCT*PC*1~LIN*1*VN*100401~CTP**CAT*12.89~CTT*1~SE*6*0001~"
        "GE*1*901~IEA*1*000000901~",
    ),
)


def drawn(partners: Sequence[SeedPartner], seed: int, shares: Mapping[Policy, int]) -> dict[str, Policy]:
    """A policy for each partner, each of ``shares`` in its share, the first filling up: the same seed draws the same."""
    usual, *others = shares
    total = sum(shares.values())
    deck = [kind for kind in others for _ in range(math.ceil(shares[kind] * len(partners) / total))]
    deck += [usual] * (len(partners) - len(deck))
    random.Random(seed).shuffle(deck)
    return {partner.code: kind for partner, kind in zip(partners, deck, strict=False)}


@asynccontextmanager
async def correspondence(
    simulator: SterlingSimulator,
    partners: Sequence[SeedPartner],
    behaviour: Mapping[str, Behaviour],
    taking: Mapping[str, Taking] | None = None,
    orders: Mapping[str, Orders] | None = None,
) -> AsyncIterator[Correspondents]:
    """Partners that answer for as long as the block lasts. Their mailboxes must be there, those for answers too."""
    found = Correspondents(simulator, partners, behaviour, taking, orders)
    simulator.watch(found.arrived)
    try:
        yield found
    finally:
        simulator.hub.watchers.remove(found.arrived)
        await found.end()
