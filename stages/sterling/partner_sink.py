"""Stage ``sterling.partners``: makes a trading partner equal to its wanted state, and touches nothing else of it.

Partners are matched by their ``code``, whatever their name: people create and rename partners by hand too. Creating one is a
sequence of marked steps (community, partner, mailboxes, routing rule, codes), each found by looking, so that whoever comes after a
failure goes on with it. Updating reads, merges and writes. Nothing is written when nothing differs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from pipeline import (
    COMMIT_POINT,
    DataError,
    Delivery,
    Destination,
    Document,
    Drift,
    Evidence,
    Ids,
    Mark,
    RefusedError,
    Secret,
    SignInRefused,
    StageError,
    TransientError,
    Undetermined,
)
from stages.ap.partner import TradingPartner
from stages.sterling.apis import SterlingClient
from stages.sterling.config import PartnerSettings
from stages.sterling.leftovers import Leftovers
from stages.sterling.partner_drift import Comparison
from stages.sterling.partner_view import Directory
from stages.sterling.protocol import addresses, partner
from stages.sterling.protocol.errors import ExistsError, NotFoundError, lacks_collection
from stages.sterling.protocol.representations import text_of
from stages.sterling.protocol.secrecy import secrets_of
from stages.sterling.provision import Provision, Step, no_community

log = logging.getLogger(__name__)

Row = Mapping[str, Any]

CREATING = "creating"
"""The mark that says: the partner of this delivery, if it is there, may be a half-made one of ours."""


class PartnerSink:
    """An upsert: the payload is the wanted state, canonical JSON of a `TradingPartner`.

    ``ids`` must be unguessable in production (`pipeline.RandomIds` is): the generated first password of a login user is made of
    two of them. Nobody is told it; Sterling's people set the one they give to the partner.
    """

    upsert = True

    def __init__(
        self, client: SterlingClient, settings: PartnerSettings, ids: Ids, note: Callable[[str], None] = log.info
    ) -> None:
        self._client = client
        self._settings = settings
        self._note = note
        self._secrets = secrets_of(settings.create)
        self._directory = Directory(client)
        self._leftovers = Leftovers(self._directory, settings)
        self._provision = Provision(client, settings, self._directory, self._leftovers, ids)
        self.settle_seconds = float(client.config.settle)

    def destination(self, document: Document) -> Destination:
        return Destination(lane=document.partner or _decode(document.body).code)

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        """Create, update or leave the partner, then make what it lacks. The detail of the evidence says which (``action``) and what."""
        wanted = _decode(delivery.payload)
        await self._client.ready()
        writer = _Writer(self._client, self._directory, mark)
        row = await self._present(wanted)
        if row is None and not wanted.active:
            return Evidence(id="", name=delivery.name, detail={"action": "not made: its vendor is inactive"})
        if row is None:
            try:
                row, detail = await self._create(wanted, writer), {"action": "created"}
            except ExistsError as error:
                row = await self._read_owner(wanted, error)
                detail = await self._update(wanted, row, writer)
        else:
            detail = await self._update(wanted, row, writer)
        made = await self._complete(wanted, row, delivery, writer)
        return _evidence(row, delivery, **_told(detail, made))

    async def find(self, delivery: Delivery) -> list[Evidence]:
        """The partners of that code whose state is the wanted one and which lack nothing. Any other is no match: sending again mends it."""
        wanted = _decode(delivery.payload)
        try:
            await self._client.ready()
            self._directory.renew()
            listed = (await self._directory.partners()).get(wanted.code, [])
            rows = [await self._read(partner.name_of(row)) for row in listed]
            equal = [row for row in rows if row is not None and not partner.differences(wanted, row)]
            whole = [row for row in equal if not await self._lacks(wanted, row, delivery)]
            if not wanted.active and not listed:
                return [Evidence(id="", name=delivery.name, detail={"action": "not there"})]
        except SignInRefused:
            raise
        except StageError as error:
            raise Undetermined(f"Trading partner {wanted.code} could not be looked up: {error}") from None
        return [_evidence(row, delivery, action="found") for row in whole]

    async def drift(self, wanted: Sequence[Document], left_out: Mapping[str, str]) -> list[Drift]:
        """What is missing, differs, or is there without being wanted, in the communities of the flow. Reads only."""
        await self._client.ready()
        self._directory.renew()
        states = [_decode(document.body) for document in wanted]
        comparison = Comparison(self._directory, self._provision, self._leftovers, self._read)
        return await comparison.drift(states, left_out, self._settings.community)

    # Looking.

    async def _present(self, wanted: TradingPartner) -> Row | None:
        """The partner of that code, or of one it had before, as it is now; None when there is none. Looks twice when the list proves stale.

        A listed row that tells all we keep, and tells it as it is wanted, need not be read by itself.
        """
        for _ in range(2):
            listed = await self._listed(wanted)
            if listed is None:
                return await self._by_name(wanted)
            if not partner.differences(wanted, listed):
                return listed
            row = await self._read(partner.name_of(listed))
            if row is not None and text_of(row.get("code")) == listed["code"]:
                return row
            self._directory.renew()
        raise TransientError(
            f"Trading partner {wanted.code} changes while it is read",
            where="tradingpartners",
            why="The list of partners and the partner itself do not agree.",
            mend="It is tried again later.",
            code="MLC-STL-0320",
        )

    async def _listed(self, wanted: TradingPartner) -> dict[str, str] | None:
        """The one listed under the code; else the first under a code it had before, to be taken over."""
        partners = await self._directory.partners()
        for code in (wanted.code, *wanted.formerly):
            rows = partners.get(code, [])
            if len(rows) > 1:
                raise _ambiguous(code, [partner.name_of(row) for row in rows])
            if rows:
                return rows[0]
        return None

    async def _read(self, name: str) -> Row | None:
        row = await self._client.read(addresses.item(partner.COLLECTION, name), f"read trading partner {name}")
        if row is not None and not isinstance(row, Mapping):
            raise _not_a_partner(name)
        return row

    async def _by_name(self, wanted: TradingPartner) -> Row | None:
        """The partner that has the name ours would get: ours if it has our code, otherwise in the way."""
        row = await self._read(wanted.name)
        if row is None or text_of(row.get("code")) == wanted.code:
            return row
        raise _name_taken(wanted, text_of(row.get("code")))

    async def _read_owner(self, wanted: TradingPartner, error: ExistsError) -> Row:
        """After "already exists": ours from a lost answer, or another's partner or login user of that name."""
        self._directory.renew()
        row = await self._present(wanted)
        if row is not None:
            return row
        raise RefusedError(
            f"Trading partner {wanted.code} cannot be created: its name or login user is taken",
            where=f"trading partner {wanted.name}",
            why=error.why,
            mend=f"Free the name and the user id {wanted.name.lower()} in Sterling, or set another username under `create`.",
            owner="EDI desk",
            code="MLC-STL-0322",
        )

    async def _lacks(self, wanted: TradingPartner, row: Row, delivery: Delivery) -> list[Step]:
        steps = self._provision.steps(wanted, row, half_made=CREATING in delivery.marks)
        return [step async for step in steps]

    # Writing.

    async def _create(self, wanted: TradingPartner, writer: _Writer) -> Row:
        """Community, then partner: one call that makes its login user, mailbox and virtual root too. The row as it was asked for."""
        community = wanted.community or self._settings.community
        if not community:
            raise no_community("no community is set", "Every trading partner belongs to one.")
        step = await self._provision.community(community)
        if step is not None:
            await writer.carry_out(step)
        password = self._provision.password()
        body = partner.creation(
            wanted,
            community=community,
            password=password.reveal(),
            fillers={
                "emailAddress": self._settings.email,
                "phone": self._settings.phone,
                "postalCode": self._settings.postal_code,
            },
            extra=self._settings.create,
        )
        await writer.mark(CREATING, wanted.name)
        secrets = (*self._secrets, password)
        step = Step(part="trading partner", name=wanted.name, collection=partner.COLLECTION, body=body, secrets=secrets)
        try:
            name = await writer.create(step)
        except (NotFoundError, RefusedError) as error:
            if not re.search("communit", error.why, re.IGNORECASE):
                raise
            refusal = no_community(f"Sterling does not accept community {community}", error.why)
        else:
            row = {**{member: value for member, value in body.items() if member != "password"}, "partnerName": name}
            await self._directory.took_partner(row)
            return row
        raise refusal

    async def _update(self, wanted: TradingPartner, row: Row, writer: _Writer) -> dict[str, str]:
        """Writes the changed members over the others as they are. What was done, for the evidence."""
        changes = partner.differences(wanted, row)
        if not changes:
            return {"action": "untouched"}
        name = partner.name_of(row)
        path = addresses.item(partner.COLLECTION, name)
        await writer.update(f"trading partner {name}", path, partner.update(changes, row), self._secrets)
        action = "taken over" if "code" in changes else "updated"
        return {"action": action, "fields": ", ".join(sorted(changes))}

    async def _complete(self, wanted: TradingPartner, row: Row, delivery: Delivery, writer: _Writer) -> list[Step]:
        """Makes what is missing, step by step. What an answered creation made is known to be there."""
        async with aclosing(self._provision.steps(wanted, row, half_made=CREATING in delivery.marks)) as steps:
            made = [step async for step in steps if await writer.carry_out(step)]
        for step in made:
            if step.note:
                self._note(step.note)
            if step.part == "code" and not step.key:
                await self._tell_of_others(step, {each.name for each in made})
        return made

    async def _tell_of_others(self, step: Step, made: Collection[str]) -> None:
        """A code was made for a vendor that has one already: people must know, since a look-up by the vendor finds both."""
        code_list, sender, receiver = step.name.rsplit("|", 2)
        others = await self._leftovers.also_for((sender, receiver))
        left = [other for other in others if f"{code_list}|{sender}|{other}" not in made]
        if left:
            self._note(
                f"code list {code_list} has {sender} for {', '.join(sorted(left))} as well as for {receiver}: a look-up by it finds all; remove in "
                "Sterling what is no longer meant"
            )


class _Writer:
    """The writes of one attempt: its commit point is passed before the first of them, and each finished step is marked."""

    def __init__(self, client: SterlingClient, directory: Directory, mark: Mark) -> None:
        self._client = client
        self._directory = directory
        self.mark = mark
        self._committed = False

    async def _commit(self) -> None:
        if not self._committed:
            await self.mark(COMMIT_POINT)
            self._committed = True

    async def create(self, step: Step) -> str:
        """The id of what was made."""
        await self._commit()
        path = addresses.collection(step.collection)
        body = msgspec.json.encode(step.body)
        key = await self._client.create(path, body, f"create {step}", secrets=step.secrets)
        await self.mark(f"made {step}", key)
        return key

    async def update(self, name: str, path: str, body: Mapping[str, Any], secrets: tuple[Secret, ...]) -> None:
        """Raises `TransientError` when it is no longer there."""
        await self._commit()
        try:
            said = await self._client.update(path, body, f"update {name}", secrets=secrets)
        except NotFoundError:
            said = {"rowsAffected": 0}
        if isinstance(said, Mapping) and said.get("rowsAffected") == 0:
            self._directory.renew()
            raise _gone(name)

    async def carry_out(self, step: Step) -> bool:
        """Makes what was found missing; whether that was possible. "Already exists" is as good: a list need not show all there is."""
        if step.body is None:
            return await self._remove(step)
        if step.key:
            await self.update(str(step), addresses.item(step.collection, step.key), step.body, step.secrets)
            await self.mark(f"changed {step}")
            return True
        try:
            key = await self.create(step)
        except ExistsError:
            key = ""
        except StageError as error:
            return _passed_over(step, error)
        if step.part == "rule":
            await self._directory.took_rule(step.body)
        await self._directory.took(step.part, step.name, key)
        return True

    async def _remove(self, step: Step) -> bool:
        await self._commit()
        try:
            await self._client.remove(addresses.item(step.collection, step.key), f"remove {step}")
        except StageError as error:
            return _passed_over(step, error)
        await self.mark(f"removed {step}")
        return True


def _passed_over(step: Step, error: StageError) -> bool:
    """False: this level of Sterling has partners without such a step. Any other error is raised."""
    if not (step.optional and lacks_collection(error)):
        raise error
    log.warning("sterling: %s cannot be made or removed on this level of Sterling", step)
    return False


def _decode(payload: bytes) -> TradingPartner:
    try:
        return msgspec.json.decode(payload, type=TradingPartner)
    except msgspec.DecodeError as error:
        problem = str(error)
    raise DataError(
        "This is no trading partner",
        where="the record given to sterling.partners",
        why=problem,
        mend="Put the stage ap.partner, or a map that returns a TradingPartner, before this sink.",
        owner="developer",
        code="MLC-STL-0323",
    )


def _told(detail: dict[str, str], made: list[Step]) -> dict[str, str]:
    """What was done, with what was made beside the partner."""
    if not made:
        return detail
    action = "completed" if detail["action"] == "untouched" else detail["action"]
    return {**detail, "action": action, "made": ", ".join(map(str, made))}


def _evidence(row: Row, delivery: Delivery, **detail: str) -> Evidence:
    return Evidence(id=partner.name_of(row), name=delivery.name, detail=detail)


def _ambiguous(code: str, names: list[str]) -> RefusedError:
    return RefusedError(
        f"Several trading partners have the code {code}",
        where=f"trading partners {', '.join(sorted(names)[:5])}",
        why="A code must belong to one partner, or a vendor's data would go to the wrong one.",
        mend="Leave the code on one of them in Sterling, then replay.",
        owner="EDI desk",
        code="MLC-STL-0324",
    )


def _name_taken(wanted: TradingPartner, other: str) -> RefusedError:
    return RefusedError(
        f"The name {wanted.name} belongs to another trading partner",
        where=f"trading partner {wanted.name}",
        why=f"It has the code {other!r}; ours would be {wanted.code!r}.",
        mend=f"If it is the same company, set its code to {wanted.code} in Sterling, or name {other or 'its code'} in `trading_partner.formerly` of its "
        "partner file; otherwise rename it or ours. Then replay.",
        owner="EDI desk",
        code="MLC-STL-0321",
    )


def _not_a_partner(name: str) -> TransientError:
    return TransientError(
        "Sterling's answer is no trading partner",
        where=f"trading partner {name}",
        why="The answer is JSON, but not one object.",
        mend="It is tried again later. If it repeats, check the connection's url.",
        code="MLC-STL-0502",
    )


def _gone(name: str) -> TransientError:
    return TransientError(
        f"Sterling no longer has {name}, which was to be updated",
        where=name,
        why="It was read a moment ago, and the update changed no row.",
        mend="It is looked up and tried again.",
        code="MLC-STL-0326",
    )
