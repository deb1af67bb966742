"""Whether a reply answers our request: what it repeats of it must be what we asked. Pure.

What stands between us and the gateway may mix replies up or answer from memory, and a gateway may let us in elsewhere than we asked. What a reply
leaves out is not compared, nor is anything of a reply that fails as a whole: nothing is read from it.
"""

from __future__ import annotations

import msgspec

from pipeline import ConfigError, TransientError
from stages.intacct.protocol.faults import Place
from stages.intacct.protocol.requests import Login
from stages.intacct.protocol.responses import Reply


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request named, itself or by its session."""

    control_id: str
    function: str
    function_id: str
    login: Login


def check(reply: Reply, asked: Asked, place: Place) -> None:
    """Raises `TransientError` when the reply answers another request, and `ConfigError` when a sign-in let us in elsewhere than we asked."""
    if reply.failed is not None:
        return
    stray, signing_in = _stray(reply, asked), place.form == "login"
    wrong = stray or _elsewhere(reply, asked.login, _entity(reply) if signing_in else reply.location or None)
    where = f"{place.function} at {place.host}, company {place.company}"
    if wrong and signing_in and not stray:
        raise ConfigError(
            "Intacct let us in elsewhere than we asked", where=where, why=f"{wrong}; what is read there would go by a wrong name",
            mend="check company_id, user_id and location_id of the connection, and that its `url` is the gateway's, with nothing in between that "
            "changes requests",
            code="MLC-INTACCT-0118",
        )  # fmt: skip
    if wrong:
        raise TransientError(
            "the reply answers another request", where=where, why=wrong, code="MLC-INTACCT-0209",
            mend="it is tried again; when it stays, look for what stands between the connector and Intacct: it mixes up replies, or keeps them",
        )  # fmt: skip


def _stray(reply: Reply, asked: Asked) -> str:
    """How the reply shows that it answers another request."""
    told = [("controlid", reply.control_id, asked.control_id)]
    for outcome in reply.outcomes[:1]:
        told.append(("function", outcome.function, asked.function))
        told.append(("function's controlid", outcome.control_id, asked.function_id))
    return next((_difference(name, echo, ours) for name, echo, ours in told if echo and not _same(echo, ours)), "")


def _elsewhere(reply: Reply, login: Login, place: str | None) -> str:
    """How the reply shows that it is of another user, company or entity. A console's users and companies go by several names."""
    companies = [login.company, *([login.client, f"{login.company}|{login.client}"] if login.client else [])]
    if reply.user and not login.client and not _same(reply.user, login.user):
        return _difference("userid", reply.user, login.user)
    if reply.company and not any(_same(reply.company, name) for name in companies):
        return _difference("companyid", reply.company, login.company)
    if login.location and place is not None and not _same(place, login.location):
        return _difference("locationid", place, login.location)
    return ""


def _entity(reply: Reply) -> str | None:
    """Where a sign-in let us in, empty at the top level: what is said of the session counts more than what is said of the sign-in.

    Later replies may leave it empty, whatever their session is of.
    """
    rows = reply.outcomes[0].data.rows if reply.outcomes else []
    if rows and "LOCATIONID" in rows[0]:
        return rows[0]["LOCATIONID"] or reply.location or ""
    return reply.location


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _difference(name: str, echo: str, ours: str) -> str:
    shown = "".join(character for character in echo[:60] if character.isprintable())
    return f"its {name} is {shown!r}, ours was {ours[:60]!r}"
