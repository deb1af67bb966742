"""``tradingpartners``, ``communities`` and ``routingchannels``: who we exchange files with, and what making a partner brings about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from stages.sterling.simulator.accounts import check_password, check_user_id
from stages.sterling.simulator.collection import Call, Collection
from stages.sterling.simulator.conventions import coded, like
from stages.sterling.simulator.entities import Account
from stages.sterling.simulator.fields import Field, comma_list, read_fields
from stages.sterling.simulator.partner_fields import CHANNEL, COMMUNITY, EMPTY_TEXTS, NEVER_READ, PARTNER
from stages.sterling.simulator.wire import ApiError, ContainerError


class TradingPartners(Collection):
    """Partners by name. Making one makes its user, its mailbox ``/<partnerName>`` and the user's virtual root."""

    name: ClassVar[str] = "tradingpartners"
    kind: ClassVar[str] = "TradingPartner"

    def candidates(self, call: Call) -> Iterable[dict[str, Any]]:
        return self.hub.partners.values()

    def find(self, key: str) -> dict[str, Any] | None:
        return self.hub.partners.get(key)

    def key(self, item: Mapping[str, Any]) -> str:
        return str(item["partnerName"])

    def view(self, item: Mapping[str, Any], call: Call) -> dict[str, Any]:
        row: dict[str, Any] = {name: item.get(name) or "" for name in EMPTY_TEXTS}
        for name, spec in PARTNER.items():
            value = item.get(name)
            if spec.kind == "boolean":
                row[name] = coded(bool(value))
            elif value is not None and name not in NEVER_READ:
                row[name] = coded(value) if spec.kind == "enum" or name == "timeZone" else value
        return row

    def create(self, call: Call) -> str:
        fields = read_fields(PARTNER, call.fields(creating=True), creating=True)
        name = str(fields["partnerName"])
        if name in self.hub.partners:
            raise ApiError(400, f"A trading partner with the name {name} already exists")
        password = fields.pop("password", None)
        self._check_fields(fields)
        self._check_user(fields, password)
        self._add_parts(fields, password or "", call.lacking)
        self.hub.partners[name] = fields
        self.hub.log("partner.created", partner=name, code=fields.get("code") or "", user=fields["username"])
        if call.lacking:
            raise ContainerError(500, "the partner was saved, what belongs to it was not")
        return name

    def update(self, call: Call, item: dict[str, Any]) -> None:
        fields = read_fields(PARTNER, call.fields(), creating=False)
        password = fields.pop("password", None)
        for name in ("partnerName", "username"):
            if fields.get(name, item[name]) != item[name]:
                raise ApiError(400, f"The field '{name}' cannot be changed")
        self._check_fields({**item, **fields})
        if password:
            check_password(password, self.switches)
            if item["username"] in self.hub.accounts:
                self.hub.set_password(self.hub.accounts[item["username"]], password)
        changed = sorted(name for name, value in fields.items() if item.get(name) != value)
        if self.switches.put_replaces:  # what is not named is emptied, but for what a partner cannot be without
            kept = {name: item[name] for name, field in PARTNER.items() if field.required and name in item}
            item.clear()
            item.update(kept)
        item.update(fields)
        self.hub.log("partner.updated", partner=item["partnerName"], code=item.get("code") or "", changed=changed)

    def remove(self, call: Call, item: dict[str, Any]) -> None:
        name = item["partnerName"]
        if any(name in (channel["producer"], channel.get("consumer")) for channel in self.hub.channels.values()):
            raise ApiError(400, f"The trading partner {name} still has routing channels")
        del self.hub.partners[name]
        self.hub.remove_account(item["username"])
        for members in self.hub.groups_of_partners.values():
            members[:] = [member for member in members if member != name]
        self.hub.log("partner.deleted", partner=name, code=item.get("code") or "")

    def _check_fields(self, fields: Mapping[str, Any]) -> None:
        """What holds between fields, at creation and after every update."""
        if fields["community"] not in self.hub.communities:
            raise ApiError(400, f"The community {fields['community']} does not exist")
        if fields["authenticationType"] == "External" and not fields.get("authenticationHost"):
            raise ApiError(400, "The field 'authenticationHost' is required for external authentication")

    def _check_user(self, fields: Mapping[str, Any], password: str | None) -> None:
        user = str(fields["username"])
        check_user_id(user, self.switches)
        if user in self.hub.accounts:
            raise ApiError(400, f"API000175: Could not save user account: A user with the ID {user} already exists")
        if password:
            check_password(password, self.switches)
        elif fields["authenticationType"] == "Local":
            raise ApiError(400, "API000175: Could not save user account: The field 'password' is required")

    def _add_parts(self, fields: Mapping[str, Any], password: str, lacking: frozenset[str]) -> None:
        """The login user, its mailbox (kept when it is there already) and its virtual root, but for what is ``lacking``."""
        path, user = f"/{fields['partnerName']}", str(fields["username"])
        names = {"givenName": fields["givenName"], "surname": fields["surname"], "email": fields["emailAddress"]}
        if "user" not in lacking:
            self.hub.add_account(Account(user, password, names, root="" if "root" in lacking else path))
        if "mailbox" in lacking:
            return
        mailbox = self.hub.paths.get(path) or self.hub.add_mailbox(path, str(fields["partnerName"]))
        if user in self.hub.accounts:
            mailbox.users.append(user)
            self.hub.grant(mailbox, [user], [])


class Communities(Collection):
    """Communities by name; a partner belongs to one."""

    name: ClassVar[str] = "communities"
    kind: ClassVar[str] = "Community"

    def candidates(self, call: Call) -> Iterable[dict[str, Any]]:
        matches = like(call.query.get("commName", ""), ignore_case=self.switches.search_ignores_case)
        return [each for each in self.hub.communities.values() if matches(str(each["name"]))]

    def find(self, key: str) -> dict[str, Any] | None:
        return self.hub.communities.get(key)

    def key(self, item: Mapping[str, Any]) -> str:
        return str(item["name"])

    def view(self, item: Mapping[str, Any], call: Call) -> dict[str, Any]:
        flags = {name: coded(bool(item.get(name))) for name, field in COMMUNITY.items() if field.kind == "boolean"}
        return {"name": item["name"], **flags, "customProtocols": item.get("customProtocols") or ""}

    def create(self, call: Call) -> str:
        fields = read_fields(COMMUNITY, call.fields(creating=True), creating=True)
        if fields["name"] in self.hub.communities:
            raise ApiError(400, f"A community with the name {fields['name']} already exists")
        self.hub.communities[fields["name"]] = fields
        self.hub.log("community.created", community=fields["name"])
        return str(fields["name"])

    def update(self, call: Call, item: dict[str, Any]) -> None:
        fields = read_fields(COMMUNITY, call.fields(), creating=False)
        if fields.get("name", item["name"]) != item["name"]:
            raise ApiError(400, "The field 'name' cannot be changed")
        item.update(fields)
        self.hub.log("community.updated", community=item["name"])

    def remove(self, call: Call, item: dict[str, Any]) -> None:
        if any(partner["community"] == item["name"] for partner in self.hub.partners.values()):
            raise ApiError(400, f"The community {item['name']} still has trading partners")
        del self.hub.communities[item["name"]]
        self.hub.log("community.deleted", community=item["name"])


GROUP = {"groupName": Field(required=True, limit=255), "groupMembers": Field()}
_DELTA = {
    "addOrRemove": Field("enum", required=True, codes=frozenset({"add", "remove"})),
    "partners": Field(required=True),
}
_MEMBERS = re.compile(r"[A-Za-z0-9_, ]*")


class PartnerGroups(Collection):
    """Groups of partners by name. Their members are one text with commas; an update adds to them or takes from them."""

    name: ClassVar[str] = "partnergroups"
    kind: ClassVar[str] = "PartnerGroup"

    def candidates(self, call: Call) -> Iterable[str]:
        return list(self.hub.groups_of_partners)

    def find(self, key: str) -> str | None:
        return key if key in self.hub.groups_of_partners else None

    def key(self, item: str) -> str:
        return item

    def view(self, item: str, call: Call) -> dict[str, Any]:
        return {"groupName": item, "groupMembers": ",".join(self.hub.groups_of_partners[item])}

    def create(self, call: Call) -> str:
        fields = read_fields(GROUP, call.fields(creating=True), creating=True)
        name = str(fields["groupName"])
        if name in self.hub.groups_of_partners:
            raise ApiError(400, f"A partner group with the name {name} already exists")
        self.hub.groups_of_partners[name] = self._partners(fields.get("groupMembers"))
        self.hub.log("partnergroup.created", group=name)
        return name

    def update(self, call: Call, item: str) -> None:
        fields = read_fields(_DELTA, call.fields(), creating=True)
        named, members = self._partners(fields["partners"]), self.hub.groups_of_partners[item]
        if fields["addOrRemove"] == "add":
            members += [name for name in named if name not in members]
        else:
            members[:] = [name for name in members if name not in named]
        self.hub.log("partnergroup.updated", group=item, members=list(members))

    def remove(self, call: Call, item: str) -> None:
        del self.hub.groups_of_partners[item]
        self.hub.log("partnergroup.deleted", group=item)

    def _partners(self, text: str | None) -> list[str]:
        if not self.switches.dash_in_group_members and not _MEMBERS.fullmatch(text or ""):
            raise ApiError(400, "Group Members can only contain alphanumeric, underscore, comma and space")
        names = comma_list(text)
        for name in names:
            if name not in self.hub.partners:
                raise ApiError(400, f"The trading partner {name} does not exist")
        return list(dict.fromkeys(names))


_CHANNEL_FILTERS = {"searchByTemplate": "templateName", "searchByProducer": "producer", "searchByConsumer": "consumer"}


class RoutingChannels(Collection):
    """Channels between partners. A search without a match answers 404 here, unlike elsewhere."""

    name: ClassVar[str] = "routingchannels"
    kind: ClassVar[str] = "RoutingChannel"
    verbs: ClassVar[frozenset[str]] = frozenset({"list", "read", "create", "delete"})

    def candidates(self, call: Call) -> Iterable[dict[str, Any]]:
        ignore_case = self.switches.search_ignores_case
        asked = {
            field: like(call.query.get(name, ""), ignore_case=ignore_case) for name, field in _CHANNEL_FILTERS.items()
        }
        return [x for x in self.hub.channels.values() if all(fits(x.get(field) or "") for field, fits in asked.items())]

    def find(self, key: str) -> dict[str, Any] | None:
        return self.hub.channels.get(key)

    def key(self, item: Mapping[str, Any]) -> str:
        return str(item["routingChannelKey"])

    def view(self, item: Mapping[str, Any], call: Call) -> dict[str, Any]:
        return {**item, "producerMailboxPath": f"/{item['producer']}"}

    def create(self, call: Call) -> str:
        body = call.fields(creating=True)
        facts = _facts(body.pop("provisioningFacts", None))
        fields = read_fields(CHANNEL, body, creating=True)
        for side in ("producer", "consumer"):
            if fields.get(side) is not None and fields[side] not in self.hub.partners:
                raise ApiError(400, f"The {side} {fields[side]} is not a trading partner")
        key = f"RC{len(self.hub.effects) + 1}"
        self.hub.channels[key] = {"routingChannelKey": key, **fields, "provisioningFacts": facts}
        self.hub.log("channel.created", channel=key)
        return key

    def remove(self, call: Call, item: dict[str, Any]) -> None:
        del self.hub.channels[item["routingChannelKey"]]
        self.hub.log("channel.deleted", channel=item["routingChannelKey"])
        if call.lacking:
            raise ApiError(400, "API000102: Error deleting a part of the Routing Channel")


def _facts(value: Any) -> list[dict[str, str]]:
    """What a template asks of each of its channels, by name."""
    facts = value or []
    if not isinstance(facts, list) or not all(isinstance(each, Mapping) and each.get("provFactName") for each in facts):
        raise ApiError(
            400, "The field 'provisioningFacts' must be a list of objects with provFactName and provFactValue"
        )
    return [{"provFactName": str(x["provFactName"]), "provFactValue": str(x.get("provFactValue") or "")} for x in facts]
