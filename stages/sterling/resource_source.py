"""Source ``sterling.resource``: any collection of the B2B APIs, row by row: workflows, schedules, routing rules, documents and all others.

These lists have no time of change and no cursor: each run lists them whole, and what is made of a row that has not changed is unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline import ConfigError, DataError, Page, Record, StageError, Window
from stages.sterling.apis import SterlingClient
from stages.sterling.config import ResourceSettings
from stages.sterling.contents import Unusable, payload, too_large
from stages.sterling.gather import gather
from stages.sterling.protocol import addresses
from stages.sterling.protocol.errors import lacks_collection
from stages.sterling.protocol.representations import row_key, text_of
from stages.sterling.protocol.resources import CATALOGUE, label, plain

ROWS_PER_PAGE = 500
CONTENTS_PER_PAGE = 20
LARGEST_CONTENT = 16 * 1024 * 1024
"""Bytes."""


async def listed(client: SterlingClient, resource: str, filters: Mapping[str, str]) -> list[dict[str, Any]]:
    """All rows of a collection as plain fields, read to the proven end. Raises `ConfigError` where this Sterling lacks it."""
    path, doing = addresses.collection(resource), f"list {resource}"
    try:
        # A 404 may be an empty list's, but not that of a collection that nobody has heard of.
        rows = await client.rows(path, doing, filters, proven=resource not in CATALOGUE)
    except StageError as error:
        if not lacks_collection(error):
            raise
    else:
        return [{"_id": row_key(row).partition(":")[2], **plain(row)} for row in rows]
    await client.prove()
    raise ConfigError(
        f"This Sterling has no collection {resource}",
        where=f"GET {resource}/",
        why="It is missing, while the server answers: it is misspelt, or this level lacks it.",
        mend="Look for it in the server's own Web Service Browser (/B2BAPIs/svc/doc).",
        owner="EDI desk",
        code="MLC-STL-0350",
    )


class ResourceSource:
    """Implements `pipeline.stage.Source`. One instance lists once."""

    def __init__(self, client: SterlingClient, settings: ResourceSettings) -> None:
        self._client, self._settings = client, settings
        self._waiting: list[dict[str, Any]] | None = None

    @property
    def scope(self) -> str:
        """The server, as with `sterling.mailbox`: rows of one are no rows of another, and no object of a company of Intacct."""
        return self._client.config.server

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None:
        if window.since is not None or window.until is not None:
            raise ConfigError(
                "A list of a collection has no times",
                where=f"the source of {self._settings.resource}",
                why="The B2B APIs do not say when a row was changed; each run lists them all.",
                mend="Leave out --since and --until.",
                owner="EDI desk",
                code="MLC-STL-0351",
            )
        if self._waiting is None:
            self._waiting = await listed(self._client, self._settings.resource, self._settings.filter)
        size = CONTENTS_PER_PAGE if self._settings.content else ROWS_PER_PAGE
        rows = self._waiting[:size]
        records = await gather([self._record(row) for row in rows]) if self._settings.content else map(self._of, rows)
        del self._waiting[:size]
        return Page([record for record in records if record is not None], None, bool(self._waiting))

    def _of(self, row: dict[str, Any]) -> Record:
        digest = hashlib.sha256(msgspec.json.encode(row, order="deterministic")).hexdigest()
        return Record(
            key=text_of(row["_id"]), kind="resource", company=self.scope, object=self._settings.resource, body=row, label=label(row),
            digest=digest,
        )  # fmt: skip

    async def _record(self, row: dict[str, Any]) -> Record | None:
        """The row with the content of its document, as ``payload``; what is wrong with that; None when it has gone."""
        record = self._of(row)
        document = text_of(row.get("documentId")) or record.key
        size = text_of(row.get("documentSize")) or text_of(row.get("size"))
        if size.isdecimal() and int(size) > LARGEST_CONTENT:
            return record.replace(body=self._unusable(record, too_large(LARGEST_CONTENT, int(size))))
        try:
            content = await payload(self._client, document, "base64", f"document {document}", LARGEST_CONTENT)
        except Unusable as reason:
            return record.replace(body=self._unusable(record, str(reason)))
        if content is None:
            return None
        return record.replace(body={**row, "payload": content}, digest=hashlib.sha256(content).hexdigest())

    def _unusable(self, record: Record, why: str) -> DataError:
        return DataError(
            "The content of a document cannot be taken",
            where=f"{self._settings.resource} {record.key} {record.label}".strip(),
            why=why,
            mend="Look at it in Sterling; it stays where it is",
            owner="EDI desk",
            code="MLC-STL-0352",
        )
