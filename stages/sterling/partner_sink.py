"""Stage ``sterling.partners``: makes a trading partner equal to its wanted state, and touches nothing else of it.

Partners are matched by their ``code``, whatever their name: people create and rename partners by hand too. Creating one is a
single call that takes effect; updating reads, merges and writes. Nothing is written when nothing differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline import (
    COMMIT_POINT,
    ConfigError,
    DataError,
    Delivery,
    Destination,
    Document,
    Evidence,
    Ids,
    Mark,
    RefusedError,
    Secret,
    StageError,
    TransientError,
    Undetermined,
)
from stages.ap.partner import TradingPartner
from stages.sterling.client import SterlingClient
from stages.sterling.config import PartnerSettings
from stages.sterling.protocol import addresses, partner
from stages.sterling.protocol.errors import ExistsError, NotFoundError
from stages.sterling.protocol.representations import text_of

Row = Mapping[str, Any]


class PartnerSink:
    """An upsert: the payload is the wanted state, canonical JSON of a `TradingPartner`.

    ``ids`` must be unguessable in production (`pipeline.RandomIds` is): the generated first password of a login user is made of
    two of them. Nobody is told it; Sterling's people set the one they give to the partner.
    """

    upsert = True

    def __init__(self, client: SterlingClient, settings: PartnerSettings, ids: Ids) -> None:
        self._client = client
        self._settings = settings
        self._secrets = partner.secrets_of(settings.create)
        self._ids = ids
        self.settle_seconds = float(client.config.settle)

    def destination(self, document: Document) -> Destination:
        return Destination(lane=document.partner or _decode(document.body).code)

    async def send(self, delivery: Delivery, mark: Mark) -> Evidence:
        """Create, update or leave the partner. The detail of the evidence says which (``action``) and what changed."""
        wanted = _decode(delivery.payload)
        await self._client.ready()
        row = await self._present(wanted)
        if row is not None:
            return await self._update(wanted, row, delivery, mark)
        try:
            return await self._create(wanted, delivery, mark)
        except ExistsError as error:
            row = await self._read_owner(wanted, error)
        return await self._update(wanted, row, delivery, mark)

    async def find(self, delivery: Delivery) -> list[Evidence]:
        """The partners of that code whose state is the wanted one. One that differs is no match: sending again mends it."""
        wanted = _decode(delivery.payload)
        try:
            await self._client.ready()
            self._client.partners = None
            rows = [await self._read(name) for name in await self._names_of(wanted.code)]
        except StageError as error:
            raise Undetermined(f"Trading partner {wanted.code} could not be looked up: {error}") from None
        equal = [row for row in rows if row is not None and not partner.differences(wanted, row)]
        return [_evidence(row, delivery, action="found") for row in equal]

    # Looking.

    async def _present(self, wanted: TradingPartner) -> Row | None:
        """The partner of that code as it is now, or None. Looks twice when the index proves stale."""
        for _ in range(2):
            names = await self._names_of(wanted.code)
            if len(names) > 1:
                raise _ambiguous(wanted, names)
            if not names:
                return await self._by_name(wanted)
            row = await self._read(names[0])
            if row is not None and text_of(row.get("code")) == wanted.code:
                return row
            self._client.partners = None
        raise TransientError(
            f"Trading partner {wanted.code} changes while it is read",
            where=f"trading partner {names[0]}",
            why="The list of partners and the partner itself do not agree.",
            mend="It is tried again later.",
            code="MLC-STL-0320",
        )

    async def _names_of(self, code: str) -> list[str]:
        """Names of the partners with that code, from one bulk listing kept for all lanes. `_client.partners = None` renews it."""
        async with self._client.partners_lock:
            if self._client.partners is None:
                self._client.partners = await self._listed()
            return list(self._client.partners.get(code, ()))

    async def _listed(self) -> dict[str, list[str]]:
        index: dict[str, list[str]] = {}
        path = addresses.collection(partner.COLLECTION)
        for row in await self._client.rows(path, "list trading partners"):
            name, code = text_of(row.get("partnerName")) or text_of(row.get("_id")), text_of(row.get("code"))
            if code:
                index.setdefault(code, []).append(name)
        return index

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
        self._client.partners = None
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

    # Writing.

    async def _create(self, wanted: TradingPartner, delivery: Delivery, mark: Mark) -> Evidence:
        community = wanted.community or self._settings.community
        if not community:
            raise _community(wanted, "no community is set", "")
        # Upper, lower, digit and sign first: what password policies usually ask for; the strength is in the ids.
        password = Secret(f"Mlc-1{self._ids.new()}{self._ids.new()}")
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
        await mark(COMMIT_POINT)
        try:
            name = await self._client.create(
                addresses.collection(partner.COLLECTION),
                msgspec.json.encode(body),
                f"create trading partner {wanted.name}",
                secrets=(*self._secrets, password),
            )
        except (NotFoundError, RefusedError) as error:
            if not re.search("communit", error.why, re.IGNORECASE):
                raise
            refusal = _community(wanted, f"Sterling does not accept community {community}", error.why)
        else:
            await mark("created", name)
            self._remember(wanted.code, name)
            return Evidence(id=name, name=delivery.name, detail={"action": "created"})
        raise refusal

    def _remember(self, code: str, name: str) -> None:
        if self._client.partners is not None:
            self._client.partners.setdefault(code, []).append(name)

    async def _update(self, wanted: TradingPartner, row: Row, delivery: Delivery, mark: Mark) -> Evidence:
        changes = partner.differences(wanted, row)
        if not changes:
            return _evidence(row, delivery, action="untouched")
        name = _name(row)
        await mark(COMMIT_POINT)
        try:
            said = await self._client.update(
                addresses.item(partner.COLLECTION, name),
                partner.update(changes, row),
                f"update trading partner {name}",
                secrets=self._secrets,
            )
        except NotFoundError:
            said = {"rowsAffected": 0}
        if isinstance(said, Mapping) and said.get("rowsAffected") == 0:
            self._client.partners = None
            raise _gone(name)
        return _evidence(row, delivery, action="updated", fields=", ".join(sorted(changes)))


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


def _name(row: Row) -> str:
    return text_of(row.get("partnerName")) or text_of(row.get("_id"))


def _evidence(row: Row, delivery: Delivery, **detail: str) -> Evidence:
    return Evidence(id=_name(row), name=delivery.name, detail=detail)


def _ambiguous(wanted: TradingPartner, names: list[str]) -> RefusedError:
    return RefusedError(
        f"Several trading partners have the code {wanted.code}",
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
        mend=f"If it is the same company, set its code to {wanted.code} in Sterling; otherwise rename it or ours. Then replay.",
        owner="EDI desk",
        code="MLC-STL-0321",
    )


def _community(wanted: TradingPartner, problem: str, said: str) -> ConfigError:
    return ConfigError(
        f"Trading partner {wanted.code} cannot be created: {problem}",
        where="sterling.partners, `community`",
        why=said or "Every trading partner belongs to a community that must exist beforehand.",
        mend="Create the community in Sterling, or name an existing one under `with: { community: … }`.",
        owner="EDI desk",
        code="MLC-STL-0325",
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
        f"Trading partner {name} went away while it was updated",
        where=f"trading partner {name}",
        why="It was read a moment ago, and the update changed no row.",
        mend="It is looked up and tried again.",
        code="MLC-STL-0326",
    )
