"""What belongs to a trading partner beside itself: its login user, mailboxes, virtual root, routing rule and codes, as bodies of calls."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from stages.ap.partner import TradingPartner
from stages.sterling.config import CodeListName, CodesSettings, RuleSettings
from stages.sterling.protocol.representations import Fields, names, text_of, unwrap, writable

Row = Mapping[str, Any]
Pair = tuple[str, str]


def values(partner: TradingPartner, user: str) -> dict[str, str]:
    """What the placeholders of templates stand for; ``vendor`` is filled in entry by entry."""
    sent, answers = (*partner.mailboxes, "", "")[:2]
    return {
        "code": partner.code,
        "name": partner.name,
        "display_name": partner.display_name,
        "mailbox": sent,
        "answers": answers,
        "user": user,
        "isa_qualifier": partner.isa_qualifier,
        "isa_id": partner.isa_id,
        "gs": partner.gs,
    }


def fill(template: str, known: Mapping[str, str]) -> str:
    """The template with its placeholders filled in; nothing in a value is read as a placeholder again."""
    return re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], ""), template)


def user_creation(user: str, row: Row, password: str, mailboxes: Sequence[str]) -> dict[str, Any]:
    """The login user that a half-made partner lacks, with the permissions of mailboxes that are there; those made later bring theirs."""
    return {
        "userId": user,
        "password": password,
        "givenName": text_of(row.get("givenName")) or "EDI",
        "surname": text_of(row.get("surname")) or text_of(row.get("partnerName")),
        "email": text_of(row.get("emailAddress")),
        "authenticationType": "Local",
        "permissions": [{"name": f"{path} Mailbox"} for path in mailboxes],
    }


def is_bare(account: Row) -> bool:
    """Whether a user account tells that it has neither groups nor permissions: the state in which `blocked` leaves it."""
    told = "groups" in account and "permissions" in account
    return told and not names(account.get("groups")) and not names(account.get("permissions"))


_USER = """userId givenName surname email authenticationType authenticationHost policy sessionTimeout preferredLanguage
    userIdentity managerId pager"""
_KEPT_OF_USERS: Fields = dict.fromkeys(_USER.split())


def user_update(account: Row, permissions: Sequence[str]) -> dict[str, Any]:
    """The account with these permissions alone, and no group: a PUT replaces lists. Keys stay."""
    keys = [{"name": name} for name in names(account.get("authorizedUserKeys"))]
    lists = {"groups": [], "permissions": [{"name": name} for name in permissions], "authorizedUserKeys": keys}
    return {**writable(account, _KEPT_OF_USERS), **lists}


def mailbox_creation(path: str, description: str, users: Sequence[str], groups: Sequence[str]) -> dict[str, Any]:
    """Groups and users are one text with commas here, and get the mailbox's permission."""
    body: dict[str, Any] = {
        "path": path,
        "description": description or path,
        "mailboxType": "R",
        "createParentMailbox": True,
    }
    people = {"users": ",".join(dict.fromkeys(users)), "groups": ",".join(dict.fromkeys(groups))}
    return body | {name: text for name, text in people.items() if text}


def community_creation(name: str) -> dict[str, Any]:
    return {"name": name, "partnersInitiateConnections": True, "partnersListenForConnections": True}


def rule_body(settings: RuleSettings, known: Mapping[str, str], mailbox_id: str, run_as: str) -> dict[str, Any]:
    """The routing rule as it is wanted. ``mailbox_id`` is the number as text."""
    return {
        "name": fill(settings.name, known),
        "mailboxes": [mailbox_id],
        "messageNamePattern": fill(settings.pattern, known) or None,
        "evaluationMode": settings.evaluation,
        "actionType": settings.action_type,
        "action": settings.action,
        "runRuleAs": settings.run_as or run_as,
    }


def rule_differs(wanted: Row, row: Row) -> list[str]:
    """The members of a rule whose value there is another one. A rule that watches more mailboxes still watches ours."""
    plain = [name for name in wanted if name != "mailboxes" and text_of(row.get(name)) != text_of(wanted[name])]
    return plain + ([] if set(wanted["mailboxes"]) <= set(watched(row)) else ["mailboxes"])


def is_automatic(row: Row) -> bool:
    return text_of(row.get("evaluationMode")) == "automatic"


def watched(row: Row) -> list[str]:
    """The ids of the mailboxes that a rule watches."""
    return names(unwrap(row.get("mailboxes")))


def does_the_same(wanted: Row, row: Row) -> bool:
    """Whether a rule for the same mailbox starts by itself what the wanted one starts, for the same names."""
    told = ("messageNamePattern", "actionType", "action")
    return (
        is_automatic(wanted)
        and is_automatic(row)
        and all(text_of(row.get(one)) == text_of(wanted[one]) for one in told)
    )


def rule_off(row: Row, mailbox_id: str) -> dict[str, Any]:
    """A rule without this mailbox; one that watches no other keeps it and no longer starts by itself."""
    others = [number for number in watched(row) if number != mailbox_id]
    members = ("name", "messageNamePattern", "evaluationMode", "actionType", "action", "runRuleAs")
    kept = {name: unwrap(row.get(name)) for name in members}
    return kept | ({"mailboxes": others} if others else {"mailboxes": [mailbox_id], "evaluationMode": "manual"})


def rule_merged(wanted: Row, row: Row, there: Collection[str]) -> dict[str, Any]:
    """The rule as it is written back: a PUT replaces, so the mailboxes that others added stay, as far as they are still ``there``."""
    kept = [number for number in watched(row) if number in there]
    return {**wanted, "mailboxes": list(dict.fromkeys([*kept, *wanted["mailboxes"]]))}


def entries(settings: CodesSettings, partner: TradingPartner, user: str) -> dict[Pair, dict[str, str]]:
    """The codes of a partner, by sender and receiver code: one a vendor where the codes name the vendor, else one."""
    known = values(partner, user)
    per_vendor = "{vendor}" in settings.sender_code + settings.receiver_code
    found: dict[Pair, dict[str, str]] = {}
    for vendor in partner.vendors if per_vendor else partner.vendors[:1]:
        filled = {**known, "vendor": vendor}
        pair = fill(settings.sender_code, filled), fill(settings.receiver_code, filled)
        texts = {name: fill(text, filled) for name, text in settings.texts.items()}
        found[pair] = {"description": fill(settings.description, filled), **texts}
    return found


def list_key(row: Row) -> str:
    """``AP_ROUTES|||1``: the id of one version of a code list."""
    parts = ("codeListName", "senderIdentity", "receiverIdentity", "versionNumber")
    return text_of(row.get("_id")) or "|".join(text_of(row.get(part)) for part in parts)


def chosen_list(rows: Sequence[Row], wanted: CodeListName) -> Row | None:
    """The version meant: the one named, else the default, else the newest active one. The filter matches prefixes, so names are compared."""
    identity = (wanted.list, wanted.sender, wanted.receiver)
    parts = ("codeListName", "senderIdentity", "receiverIdentity")
    same = [row for row in rows if tuple(text_of(row.get(part)) for part in parts) == identity]
    if wanted.version:
        return next((row for row in same if text_of(row.get("versionNumber")) == str(wanted.version)), None)
    active = [row for row in same if text_of(row.get("listStatus")) in ("1", "")]
    default = [row for row in active if text_of(row.get("makeDefault")) == "true"]
    newest = sorted(active, key=_version)
    return default[0] if default else newest[-1] if newest else None


def _version(row: Row) -> int:
    text = text_of(row.get("versionNumber"))
    return int(text) if text.isdecimal() else 0


def code_of(row: Row) -> Pair:
    return text_of(row.get("senderCode")), text_of(row.get("receiverCode"))


def code_differs(wanted: Mapping[str, str], row: Row) -> list[str]:
    """The members of a code whose text there is another one."""
    return [name for name, text in wanted.items() if text_of(row.get(name)) != text]


def code_merged(wanted: Mapping[str, str], row: Row) -> dict[str, str]:
    """The texts of a code as they are written back: what is there, with ours over it."""
    kept = ("description", *(f"text{number}" for number in range(1, 10)))
    return {name: text_of(row[name]) for name in kept if name in row} | dict(wanted)


def code(pair: Pair, texts: Mapping[str, str]) -> dict[str, Any]:
    """One code as it is written."""
    return {"senderCode": pair[0], "receiverCode": pair[1], **texts}
