"""Asking the books in which zone Intacct shows us times, as far as a window of times needs it. What the answers mean is the business of
`protocol.zones`.

The newest records are asked first; nothing is refused on their word alone: a job may have edited all of them as long after they were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

from pipeline import ConfigError, RefusedError
from stages.intacct.company import IntacctClient
from stages.intacct.protocol import paging, zones
from stages.intacct.protocol.query import Query

CREATED = {"VENDOR": "WHENCREATED", "APBILL": "AUWHENCREATED"}
"""The objects that are looked at whatever is read, since the zone is the user's; and where each says when a record was made."""


async def zone_of(client: IntacctClient, where: str, first: Mapping[str, str] = CREATED) -> tzinfo:
    """The zone of a window of times: the configured one, unless the records contradict it, else what they tell.

    ``first`` are the objects to ask first, like `CREATED`. At most two pages of each are read. Raises `ConfigError` when the zone is not
    known, or contradicted, and as `IntacctClient.query`.
    """
    configured = client.config.zone
    found = [pair for name, created in first.items() for pair in await made(client, name, created)]
    others = {name: created for name, created in CREATED.items() if name not in first}
    if zones.measured(found) is None:
        found += [pair for name, created in others.items() for pair in await made(client, name, created)]
    if configured is not None and zones.contradicted(configured, found) is not None:
        for name, created in {**first, **CREATED}.items():
            found += await made(client, name, created, newest_first=False)
    return zones.window_zone(configured, found, where)


async def told_zone(client: IntacctClient) -> tzinfo | None:
    """The westernmost zone that the newest records speak for; None when they do not tell. A client that was told asks no more.
    Raises `TransientError`.
    """
    if client.told is None:
        pairs = [pair for name, created in CREATED.items() for pair in await made(client, name, created)]
        client.told = zones.westernmost(pairs)
    return client.told


async def made(client: IntacctClient, name: str, created: str, *, newest_first: bool = True) -> list[zones.Pair]:
    """When the newest or the oldest records of an object were made and changed; none where the user may not see them."""
    question = Query(
        object=name, fields=("RECORDNO", created, paging.STAMP), newest_first=newest_first, page_size=zones.ASKED,
        private=not client.config.location_id,
    )  # fmt: skip
    try:
        return zones.pairs((await client.query(question)).rows, created, paging.STAMP)
    except (ConfigError, RefusedError):
        return []
