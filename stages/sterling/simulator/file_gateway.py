"""The File Gateway: what a producer leaves in its own mailbox is routed to the consumers of its channels; and the collections that tell of it.

The fields of these collections are public nowhere; those here are named as the rest of the APIs names such things.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Action, Call, Collection
from stages.sterling.simulator.conventions import timestamp
from stages.sterling.simulator.entities import Message, StoredDocument
from stages.sterling.simulator.fields import Field, read_fields
from stages.sterling.simulator.hub import Hub
from stages.sterling.simulator.partners import RoutingChannels
from stages.sterling.simulator.wire import ApiError, Reply

File = dict[str, Any]


class FileGateway:
    """Watches a hub. One arrived file makes a route for each channel of its producer, and each route a delivery."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def arrived(self, message: Message) -> None:
        """What a watcher of the hub is called with. A mailbox is its partner's by its path, ``/<partnerName>``."""
        producer = message.mailbox.path.removeprefix("/")
        channels = [x for x in self._hub.channels.values() if x["producer"] == producer and x.get("consumer")]
        if not channels:
            return
        file = self._keep(
            "fgarrivedfiles", producerName=producer, fileName=message.name, documentId=message.document.id
        )
        self.route(file, [str(channel["consumer"]) for channel in channels])

    def route(self, file: File, consumers: Iterable[str] = ()) -> None:
        """Routes a file to its consumers, or anew to those of before."""
        document = self._hub.documents.get(file["documentId"])
        before = [x["consumerName"] for x in self._all("fgroutes") if x["arrivedFileKey"] == file["key"]]
        for consumer in consumers or dict.fromkeys(before):
            route = self._keep("fgroutes", arrivedFileKey=file["key"], consumerName=consumer, fileName=file["fileName"])
            self.deliver(route, document)
        states = {x["status"] for x in self._all("fgroutes") if x["arrivedFileKey"] == file["key"]}
        file["status"] = "Failed" if "Failed" in states else "Routed"

    def deliver(self, route: File, document: StoredDocument | None) -> None:
        mailbox = self._hub.paths.get(f"/{route['consumerName']}")
        there = mailbox is not None and document is not None
        self._keep(
            "fgdeliveries", routeKey=route["key"], consumerName=route["consumerName"], fileName=route["fileName"],
            mailboxPath=f"/{route['consumerName']}", status="Delivered" if there else "Failed",
        )  # fmt: skip
        route["status"] = "Complete" if there else "Failed"
        if mailbox is not None and document is not None:
            self._hub.add_message(mailbox, route["fileName"], document)

    def _all(self, collection: str) -> list[File]:
        return list(self._hub.records.get(collection, {}).values())

    def _keep(self, collection: str, **members: Any) -> File:
        rows = self._hub.records.setdefault(collection, {})
        key = str(len(rows) + 1)
        rows[key] = {"key": key, "status": "", "createDate": timestamp(self._hub.clock.now()), **members}
        return rows[key]


class _Told(Collection):
    """Rows that the File Gateway made."""

    verbs: ClassVar[frozenset[str]] = frozenset({"list", "read"})
    filters: ClassVar[tuple[str, ...]] = ()

    def candidates(self, call: Call) -> Iterable[File]:
        asked = {name: call.query[name] for name in self.filters if call.query.get(name)}
        rows = self.hub.records.get(self.name, {}).values()
        return [row for row in rows if all(row.get(name) == value for name, value in asked.items())]

    def find(self, key: str) -> File | None:
        return self.hub.records.get(self.name, {}).get(key)

    def key(self, item: File) -> str:
        return str(item["key"])

    def search_text(self, item: File) -> str:
        return str(item["fileName"])

    def view(self, item: File, call: Call) -> dict[str, Any]:
        return {name: value for name, value in item.items() if name != "key"}


class ArrivedFiles(_Told):
    """Files by a number; they are routed again, or delivered again. An update may only say why."""

    name: ClassVar[str] = "fgarrivedfiles"
    kind: ClassVar[str] = "FgArrivedFile"
    verbs: ClassVar[frozenset[str]] = frozenset({"list", "read", "update"})
    filters: ClassVar[tuple[str, ...]] = ("producerName", "fileName")

    def actions(self) -> Mapping[str, Action]:
        return {"replay": self._replay, "redeliver": self._redeliver}

    def update(self, call: Call, item: File) -> None:
        item.update(read_fields({"comment": Field(limit=255)}, call.fields(), creating=False))

    def _replay(self, call: Call, item: File) -> Reply:
        FileGateway(self.hub).route(item)
        return Reply({"rowsAffected": 1}, written=True)

    def _redeliver(self, call: Call, item: File) -> Reply:
        routes = [x for x in self.hub.records.get("fgroutes", {}).values() if x["arrivedFileKey"] == item["key"]]
        for route in routes:
            FileGateway(self.hub).deliver(route, self.hub.documents.get(item["documentId"]))
        return Reply({"rowsAffected": len(routes)}, written=True)


class Routes(_Told):
    name: ClassVar[str] = "fgroutes"
    kind: ClassVar[str] = "FgRoute"


class Deliveries(_Told):
    name: ClassVar[str] = "fgdeliveries"
    kind: ClassVar[str] = "FgDelivery"


class DeliveryTests(_Told):
    """What came of a file, told at once: nothing here takes until ``defaultTimeout``."""

    name: ClassVar[str] = "testsfgdeliverystatus"
    kind: ClassVar[str] = "TestSfgDeliveryStatus"
    verbs: ClassVar[frozenset[str]] = frozenset({"list"})

    def candidates(self, call: Call) -> Iterable[File]:
        query, records = call.query, self.hub.records
        if not query.get("fileName"):
            raise ApiError(400, "The parameter 'fileName' is required")
        files = {
            key for key, file in records.get("fgarrivedfiles", {}).items()
            if query.get("producerName") in (None, "", file["producerName"])
        }  # fmt: skip
        routes = {key for key, route in records.get("fgroutes", {}).items() if route["arrivedFileKey"] in files}
        return [
            row for row in records.get("fgdeliveries", {}).values()
            if row["fileName"] == query["fileName"] and row["routeKey"] in routes
            and query.get("mailboxPath") in (None, "", row["mailboxPath"])
        ]  # fmt: skip


class PartnerTests(Collection):
    """Whether a partner to whom we connect could be reached: its side must be one that listens and has a configuration."""

    name: ClassVar[str] = "testtradingpartners"
    kind: ClassVar[str] = "TestTradingPartner"
    verbs: ClassVar[frozenset[str]] = frozenset({"list"})

    def candidates(self, call: Call) -> Iterable[dict[str, Any]]:
        name, side = call.query.get("tradingPartnerName"), call.query.get("connection", "")
        if side not in ("Consumer", "Producer"):
            raise ApiError(400, "The parameter 'connection' must be Consumer or Producer")
        partner = self.hub.partners.get(name or "")
        if partner is None:
            raise ApiError(400, f"API000160: The trading partner {name} does not exist")
        configured = any(value for field, value in partner.items() if field.startswith(f"{side.lower()}"))
        if not partner.get(f"isListening{side}") or not configured:
            raise ApiError(400, f"API000161: The trading partner {name} is not a listening {side.lower()}")
        return [partner]

    def key(self, item: dict[str, Any]) -> str:
        return str(item["partnerName"])

    def find(self, key: str) -> None:
        return None

    def view(self, item: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"tradingPartnerName": item["partnerName"], "connection": call.query["connection"], "result": "Success"}


class GeneratedPasswords(Collection):
    """One new password for each time it is asked."""

    name: ClassVar[str] = "generatedpasswords"
    kind: ClassVar[str] = "GeneratedPassword"
    verbs: ClassVar[frozenset[str]] = frozenset({"list"})
    _made: int = 0

    def candidates(self, call: Call) -> Iterable[str]:
        self._made += 1
        return [hashlib.sha256(f"generated {self._made}".encode()).hexdigest()[:12] + "Aa1"]

    def key(self, item: str) -> str:
        return str(self._made)

    def find(self, key: str) -> None:
        return None

    def view(self, item: str, call: Call) -> dict[str, Any]:
        return {"password": item}


class ChannelDuplicateChecks(RoutingChannels):
    """The channels that are there already with these ends and that template."""

    name: ClassVar[str] = "routingchannelduplicatechecks"
    kind: ClassVar[str] = "RoutingChannelDuplicateCheck"
    verbs: ClassVar[frozenset[str]] = frozenset({"list"})
