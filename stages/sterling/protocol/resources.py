"""Rows of any collection as they are shown and handed on: what identifies a row, what it is called, and its plain fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.sterling.protocol.representations import text_of, unwrap
from stages.sterling.protocol.secrecy import without_secrets

Row = Mapping[str, Any]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "workflows": ("_id", "description", "wfdVersion", "defaultVersion", "enableBusinessProcess"),
    "schedules": ("_id", "runAsUser", "scheduleStatusEnabled", "runAtStartUp", "timerSchedule"),
    "routingrules": ("_id", "mailboxes", "messageNamePattern", "evaluationMode", "action", "runRuleAs"),
    "documents": ("_id", "documentName", "documentSize", "createDate"),
    "mailboxes": ("_id", "path", "description", "mailboxType"),
    "mailboxmessages": ("_id", "mailboxPath", "name", "size", "creationDate", "documentId"),
    "mailboxcontents": ("id", "type", "name", "size", "creationDate", "documentId"),
    "tradingpartners": ("_id", "code", "community", "username", "emailAddress"),
    "codelists": ("_id", "listStatus", "makeDefault", "comments"),
    "codelistcodes": ("_id", "senderCode", "receiverCode", "description", "text1"),
}
"""What is shown of a row of the collections that people ask for most; of any other its first `MOST_COLUMNS` plain fields."""

_CATALOGUE = (
    "tradingpartners communities partnergroups mailboxes mailboxcontents mailboxmessages documents messagebatches routingrules "
    "routingchannels routingchannelduplicatechecks codelists codelistcodes workflows workflowmonitors schedules useraccounts "
    "usergroups permissions userexits uservirtualroots externalusers fgarrivedfiles fgroutes fgdeliveries testsfgdeliverystatus "
    "testtradingpartners identities generatedpasswords servicedefinitions httpclientadapters customprotocols as2organizations "
    "as2tradingpartners as2tradingrelationships cadigitalcertificates systemdigitalcertificates trusteddigitalcertificates "
    "sshauthorizeduserkeys sshknownhostkeys sshremoteprofiles sshuseridentitykeys pgpkeys pgpserverprofiles properties propertyfiles "
    "propertynodevalues serviceinstances customservices customjars uibrandings jdbcservicetrackings"
)
CATALOGUE = frozenset(_CATALOGUE.split())
"""The collections that levels 5.2.6 to 6.1 document, as far as they are public: a 404 for one of them may mean that it is empty."""

MOST_COLUMNS = 6
_NAMES = ("name", "path", "documentName", "partnerName", "scheduleName", "codeListName", "groupName", "userId")


def plain(row: Row) -> dict[str, Any]:
    """The fields as they are written: coded values unwrapped; no links, no actions, no secrets."""
    fields: dict[str, Any] = without_secrets(
        {name: unwrap(value) for name, value in row.items() if not _left_out(name)}
    )
    return fields


def _left_out(name: str) -> bool:
    return name in ("href", "actions", "_title") or name.startswith("$")


def label(row: Row) -> str:
    """What people call it; "" where no field says."""
    return next((text for name in _NAMES if (text := text_of(row.get(name)))), "")


def columns(resource: str, rows: list[dict[str, Any]]) -> list[str]:
    """Which fields a table shows: those of `COLUMNS` that any row has, else the first plain ones."""
    wanted = COLUMNS.get(resource)
    if wanted is None:
        flat = [name for row in rows[:1] for name, value in row.items() if not isinstance(value, dict | list)]
        return flat[:MOST_COLUMNS]
    return [name for name in wanted if any(name in row for row in rows)]


def cell(value: Any) -> str:
    """A field in a table: lists with commas, objects as ``name=value``."""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={text_of(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ",".join(cell(each) for each in value)
    return text_of(value)
