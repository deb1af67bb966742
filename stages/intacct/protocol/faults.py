"""What a fault of the gateway means: one table from (level, number, text) to an error class, in four parts, with an owner.

The number alone never decides: XL03000006 is a wrong sender at one level, an expired session or a wrong password at the next and an
unknown field at the third. The first row that fits wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from pipeline import (
    ConfigError,
    PermissionDenied,
    RefusedError,
    SessionError,
    StageError,
    ThrottledError,
    TransientError,
)
from stages.intacct.protocol.hiding import Hidden
from stages.intacct.protocol.responses import Fault, Level, Outcome, Unreadable

Form = Literal["login", "session"]
Owner = Literal["AP", "IT", "developer"]


class UnknownField(ConfigError):
    """The gateway refuses a field this company does not have, or that cannot be queried."""


class UnknownObject(ConfigError):
    """This company has no such object (a module it does not subscribe to)."""


class PageSizeRefused(ConfigError):
    """The gateway takes no page of the size that was asked for; `named_page_size` finds the one it names."""


class UnreadableRows(ConfigError):
    """A page holds a row the gateway cannot read (seen in AUDITHISTORY); a smaller page may step over it."""


class HttpRefused(ConfigError):
    """Something in front of the application refused the request: nothing was done."""


class AlreadyThere(RefusedError):
    """A record with that key exists. Whoever wanted to make it may find that it is the one that was wanted."""


class OutcomeUnknown(TransientError):
    """The reply to a function that changes something was lost: it may have been done, or may still be. Ask again with the same control id."""


class Place(msgspec.Struct, frozen=True):
    """Where it happened, for people: the host, the company, the function and its object, and how we were authenticated."""

    host: str
    company: str
    function: str
    form: Form = "session"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Empty ``levels`` is any level; ``number`` and ``text`` are patterns, empty matches all; ``form`` as in `Place`."""

    code: str
    error: type[StageError]
    what: str
    why: str
    mend: str
    owner: Owner = "IT"
    levels: tuple[Level, ...] = ()
    number: str = ""
    text: str = ""
    form: Form | None = None


_RULES = (
    Rule(
        code="MLC-INTACCT-0201",
        error=TransientError,
        text=r"service is temporarily off-?line|scheduled maintenance|under maintenance",
        what="Intacct is off line for maintenance",
        why="the gateway answers, but the service behind it is down",
        mend="nothing to do: it is tried again; see Sage's status page when it lasts",
    ),
    Rule(
        code="MLC-INTACCT-0202",
        error=ThrottledError,
        text=r"\bGW-0010\b",  # also where another number stands and only the words name it
        what="Intacct has no free slot for this company",
        why="all integrations of a company share a small number of concurrent requests",
        mend="nothing to do now; lower the connection's `concurrency`, or space out the other integrations",
    ),
    Rule(
        code="MLC-INTACCT-0202",
        error=ThrottledError,
        text=r"rate limit exceeded|too many (concurrent )?requests|concurren\w+ limit",
        what="Intacct limits our requests",
        why="all integrations of a company share a small number of concurrent requests",
        mend="nothing to do now; lower the connection's `concurrency`, or space out the other integrations",
    ),
    Rule(
        code="MLC-INTACCT-0203",
        error=TransientError,
        text=r"try again later|temporarily unavailable|(server|service) is busy|unexpected system error",
        what="Intacct asks to try again later",
        why="the service is overloaded or has a passing fault",
        mend="nothing to do: it is tried again",
    ),
    Rule(
        code="MLC-INTACCT-0204",
        error=TransientError,
        number=r"GW-000\d",
        what="the Intacct gateway could not process the request",
        why="a fault inside the gateway, before the application",
        mend="nothing to do: it is tried again",
    ),
    Rule(
        code="MLC-INTACCT-0119",
        error=ConfigError,
        levels=("control",),
        number=r"XL03000003",
        text=r"showadditionalerrorinfo",
        what="this Intacct gateway knows no ids of errors",
        why="the connection asks for them (error_ids), and the gateway's schema has no place for that",
        mend="remove error_ids from the connection in the flow file",
    ),
    Rule(
        code="MLC-INTACCT-0110",
        error=ConfigError,
        levels=("control",),
        number=r"XL03000006",
        text=r"\bpolicy\b",
        owner="developer",
        what="Intacct refuses the form of our request",
        why="it takes the request for an asynchronous one, whose transport policy it does not know; ours name none",
        mend="report it with the text above: something between the connector and Intacct may change requests",
    ),
    Rule(
        code="MLC-INTACCT-0101",
        error=ConfigError,
        levels=("control",),
        number=r"XL03000006",
        what="Intacct refuses the web services sender",
        why="the sender id or the sender password is wrong; both are case-sensitive",
        mend="correct sender_id and sender_password of the connection (INTACCT_SENDER_ID, INTACCT_SENDER_PASSWORD)",
    ),
    Rule(
        code="MLC-INTACCT-0102",
        error=ConfigError,
        levels=("control",),
        number=r"GW-0011",
        what="Intacct does not know this company or sender",
        why="the company does not exist or is not active, or the sender is not active",
        mend="correct company_id and sender_id of the connection",
    ),
    Rule(
        code="MLC-INTACCT-0103",
        error=ConfigError,
        levels=("control",),
        number=r"U?JPP\d+|XMLGW_JPP\d+|invalidRequest",
        what="Intacct refuses the sign-in",
        why="the company, user or password is wrong; the gateway refused it before the application saw it",
        mend="correct company_id, user_id and user_password of the connection; it is not tried again, so that the user is not locked",
    ),
    Rule(
        code="MLC-INTACCT-0110",
        error=ConfigError,
        levels=("control",),
        number=r"XL03000003|GW-001[45]",
        owner="developer",
        what="Intacct refuses the form of our request",
        why="the request is not what the gateway's schema allows",
        mend="report it with the text above: this is a fault of the connector or of something between it and Intacct",
    ),
    Rule(
        code="MLC-INTACCT-0104",
        error=ConfigError,
        levels=("authentication",),
        number=r"PL04000055",
        what="the Intacct company has expired",
        why="it is a demonstration company past its term",
        mend="have Sage renew it, or use another company_id",
    ),
    Rule(
        code="MLC-INTACCT-0105",
        error=ConfigError,
        levels=("authentication",),
        text=r"sender.*not (been )?(authori[sz]ed|allowed)|authori[sz]ation.*sender",
        what="the company has not authorised our sender",
        why="each company lists the web services senders that may reach it",
        mend="an Intacct administrator adds the sender id under Company > Setup > Web Services authorizations",
    ),
    Rule(
        code="MLC-INTACCT-0109",
        error=ConfigError,
        levels=("authentication",),
        # what *will be* locked after more attempts is not locked yet
        text=r"\b(is|was|been|are|account|user|login) (now |currently )?(locked|disabled|suspended|deactivated|inactive)\b"
        r"|\bpassword (has |is )?expired\b",
        form="login",
        what="the Intacct user may not sign in",
        why="it is locked, inactive, or its password has expired",
        mend="an Intacct administrator unlocks the user, or sets it active with a password that does not expire",
    ),
    Rule(
        code="MLC-INTACCT-0106",
        error=ConfigError,
        levels=("authentication",),
        form="login",
        what="Intacct refuses the sign-in",
        why="the user, the password, the company or the entity (location_id) is wrong, or the sender is not authorised for the company",
        mend="ml-connector doctor  tells which it is; correct that setting of the connection. The sign-in is not tried again, so that the user is not locked",
    ),
    Rule(
        code="MLC-INTACCT-0107",
        error=SessionError,
        levels=("authentication",),
        form="session",
        what="the Intacct session is over",
        why="it expired, or was ended from elsewhere",
        mend="nothing to do: the connector signs in again",
    ),
    Rule(
        code="MLC-INTACCT-0120",
        error=PermissionDenied,
        levels=("function",),
        text=r"not have (the )?(required |sufficient )?(permission|privilege|access)|permission denied|not (been )?authori[sz]ed"
        r"|not subscribed|insufficient (permission|privilege)",
        what="the Intacct user lacks a right",
        why="the role of the API user does not include this object, or the company does not subscribe to the module",
        mend="an Intacct administrator grants the API user's role read rights to the object named above",
    ),
    Rule(
        code="MLC-INTACCT-0120",
        error=PermissionDenied,
        levels=("function",),
        number=r"PL04000005",
        what="the Intacct user lacks a right",
        why="the role of the API user does not include this object",
        mend="an Intacct administrator grants the API user's role read rights to the object named above",
    ),
    Rule(
        code="MLC-INTACCT-0134",
        error=UnreadableRows,
        levels=("function",),
        text=r"there was an error processing the request",
        what="Intacct cannot read a row of the page",
        why="a damaged row fails the whole page it is on",
        mend="ask Sage with the support id above; smaller pages may step over it",
    ),
    Rule(
        code="MLC-INTACCT-0140",
        error=AlreadyThere,
        levels=("function",),
        number=r"BL34000061|PL05000104",
        owner="AP",
        what="Intacct has a record with that key",
        why="it was made before, by this program or by someone else",
        mend="compare the record in the books with the one that was to be made",
    ),
    Rule(
        code="MLC-INTACCT-0141",
        error=RefusedError,
        levels=("function",),
        number=r"BL03000018|PL01000127",
        owner="AP",
        what="Intacct misses a value",
        why="a field that this company requires is empty",
        mend="fill in what the text names, then replay",
    ),
    Rule(
        code="MLC-INTACCT-0142",
        error=RefusedError,
        levels=("function",),
        number=r"BL03002129",
        owner="AP",
        what="Intacct does not allow that in the record's state",
        why="a record that is posted, paid, reversed or in approval can no longer be changed so",
        mend="look the record up in Intacct, then replay or close this item",
    ),
    Rule(
        code="MLC-INTACCT-0143",
        error=RefusedError,
        levels=("function",),
        number=r"DL02000001",
        owner="AP",
        what="Intacct refuses the record",
        why="its data are wrong, or name something that is not there",
        mend="mend what the text names, then replay",
    ),
    Rule(
        code="MLC-INTACCT-0132",
        error=PageSizeRefused,
        levels=("function",),
        text=r"\bpage[ _-]?size\b",
        what="Intacct refuses the size of our pages",
        why="the gateway takes smaller pages than the connection asks for",
        mend="lower the connection's `page_size` (or the stage's)",
    ),
    Rule(
        code="MLC-INTACCT-0130",
        error=UnknownField,
        levels=("function",),
        text=r"cannot be (queried|selected)|not (selectable|queryable)|\b(field|column|path)s?\b.*\b(does not exist|do not exist|not found|is not valid|invalid|unknown)"
        r"|(invalid|unknown|no such|non-?existent) (fields?|column|path)",
        what="Intacct does not know a field we ask for",
        why="fields differ from company to company, with the modules and dimensions in use",
        mend="take that field out of the stage's `fields`",
    ),
    Rule(
        code="MLC-INTACCT-0131",
        error=UnknownObject,
        levels=("function",),
        text=r"object definition|(unknown|invalid|no such) object|object\b.*\b(does not exist|not found|is not valid|is invalid)",
        what="the company has no such object",
        why="the module it belongs to is not subscribed, or its name is misspelt",
        mend="leave out what reads this object, or have the module enabled",
    ),
    Rule(
        code="MLC-INTACCT-0130",
        error=UnknownField,
        levels=("function",),
        number=r"XL03000010|Invalid fields list.*",
        what="Intacct does not know a field we ask for",
        why="fields differ from company to company, with the modules and dimensions in use",
        mend="take that field out of the stage's `fields`",
    ),
    Rule(
        code="MLC-INTACCT-0135",
        error=ConfigError,
        levels=("function",),
        text=r"top[- ]level.*(session|entity|definition)|entity[- ]level.*(session|only)",
        what="Intacct wants a session of an entity",
        why="what the function is about belongs to entities, and the connection signs in at the top level",
        mend="set the connection's `location_id` (INTACCT_LOCATION_ID) to the entity",
    ),
    Rule(
        code="MLC-INTACCT-0203",
        error=TransientError,
        levels=("function",),
        number=r"BL01001973",
        text=r"^\s*BL01001973$",  # nothing but the number
        what="Intacct reports a general failure",
        why="the gateway gives no cause; alone, it often passes",
        mend="nothing to do: it is tried again; when it stays, ask Sage with the support id above",
    ),
    Rule(
        code="MLC-INTACCT-0144",
        error=RefusedError,
        levels=("function",),
        number=r"BL01001973",
        owner="AP",
        what="Intacct could not do it",
        why="the books refuse it",
        mend="mend what the text names, then replay",
    ),
    Rule(
        code="MLC-INTACCT-0136",
        error=ConfigError,
        levels=("function",),
        number=r"Query Failed",
        owner="developer",
        what="Intacct could not run the query",
        why="the gateway gives no cause that this connector knows",
        mend="report it with the text above",
    ),
    Rule(
        code="MLC-INTACCT-0110",
        error=ConfigError,
        number=r"XL03000003|GW-001[45]",
        owner="developer",
        what="Intacct refuses the form of our request",
        why="the request is not what the gateway's schema allows",
        mend="report it with the text above: this is a fault of the connector or of something between it and Intacct",
    ),
    Rule(
        code="MLC-INTACCT-0145",
        error=RefusedError,
        levels=("function",),
        number=r"XL03000009",
        owner="developer",
        what="Intacct undid the function",
        why="another function of its transaction failed, and says so itself",
        mend="mend what the other one names",
    ),
)

UNKNOWN_FAULT = "MLC-INTACCT-0199"
_OTHERWISE = Rule(
    code=UNKNOWN_FAULT,
    error=ConfigError,
    what="Intacct refuses the request",
    why="the gateway gives a reason that this connector does not know",
    mend="mend what the text names; if it says nothing useful, ask Sage with the support id above",
)
_SILENT = Rule(
    code=UNKNOWN_FAULT,
    error=ConfigError,
    what="Intacct does not do what we ask, and names no reason",
    why="the function failed or was undone, and its result holds no error",
    mend="run it again; when it stays, ask Sage, naming the function, the company and the time",
)


_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,])|(?<![\w.,])\d{1,9}(?!\w)")


def named_page_size(text: str, refused: int) -> int | None:
    """The largest page a refusal allows: the greatest number it names that is below the size it refused. None when it names none."""
    numbers = (int(match[0].replace(",", "")) for match in _NUMBER.finditer(text))
    return max((number for number in numbers if 0 < number < refused), default=None)


REPEATED = r"control\s?id|unique\s?id|\balready\b.*\b(processed|executed|completed|submitted)\b|duplicate (function|request|transaction)"
"""How a gateway may say that a function with this control id was done before; neither its number nor its words are published."""
_ROLLED_BACK = re.compile(r"(?i)rolled back|not executed: the transaction")
SAYS = ". Intacct says: "
"""What stands between our reason and the gateway's own words in the ``why`` of an error."""


def fault_error(level: Level, faults: Iterable[Fault], place: Place, *, retry_after: float | None = None) -> StageError:
    """The error these faults mean. The cause often stands beside a general companion: the first row that fits any of the others decides."""
    faults = tuple(faults)
    causes = [fault for fault in faults if not _is_companion(fault)]
    for rule in _RULES:
        for fault in causes or faults or (Fault(),):
            if _fits(rule, level, fault, place.form):
                return _build(rule, faults, place, retry_after)
    return _build(_OTHERWISE if any(map(_said, faults)) else _SILENT, faults, place, retry_after)


def _is_companion(fault: Fault) -> bool:
    """A fault that only repeats that something failed, or that a transaction was undone because of it."""
    if fault.number == "BL01001973":
        return not fault.text and not fault.correction
    return fault.number == "XL03000009" and _ROLLED_BACK.search(fault.text) is not None


def _fits(rule: Rule, level: Level, fault: Fault, form: Form) -> bool:
    return (
        (not rule.levels or level in rule.levels)
        and (rule.form is None or rule.form == form)
        and (not rule.number or re.fullmatch(rule.number, fault.number, re.IGNORECASE) is not None)
        and (
            not rule.text
            or re.search(rule.text, f"{fault.text} {fault.correction} {fault.number}", re.IGNORECASE) is not None
        )
    )


def _build(rule: Rule, faults: tuple[Fault, ...], place: Place, retry_after: float | None) -> StageError:
    said = "; ".join(dict.fromkeys(_said(fault) for fault in faults if _said(fault)))
    where, why = _where(place, faults), f"{rule.why}{SAYS + said if said else ''}"
    if issubclass(rule.error, TransientError):
        return rule.error(
            rule.what, where=where, why=why, mend=rule.mend, owner=rule.owner, code=rule.code, retry_after=retry_after
        )
    return rule.error(rule.what, where=where, why=why, mend=rule.mend, owner=rule.owner, code=rule.code)


def _said(fault: Fault) -> str:
    text = " ".join(part for part in (fault.text, fault.correction) if part)
    label = f"{fault.number} ({fault.cause})" if fault.cause else fault.number
    return f"{label}: {text}"[:500] if label and text else (label or text)[:500]


def _where(place: Place, faults: tuple[Fault, ...] = ()) -> str:
    supports = ", ".join(dict.fromkeys(fault.support for fault in faults if fault.support))
    return f"{place.function} at {place.host}, company {place.company}{f', support id {supports}' if supports else ''}"


def is_repeat(outcome: Outcome, control_id: str, pattern: str = REPEATED) -> bool:
    """Whether a function sent with ``uniqueid`` was refused because one with its control id had been completed.

    ``pattern`` matches the number or the text of that refusal; a result that names the control id, or has neither status nor
    error (a shape that has been seen), is one too. A fault that has a meaning of its own is not.
    """
    if outcome.ok:
        return False
    if not outcome.faults:
        return not outcome.status
    texts = [f"{fault.number} {fault.text} {fault.correction}" for fault in outcome.faults]
    return all(control_id in text or re.search(pattern, text, re.IGNORECASE) is not None for text in texts)


def lost_reply(error: StageError) -> OutcomeUnknown:
    """What a failure means for a function that changes something, when it may have been done nevertheless."""
    return OutcomeUnknown(
        "it is not known whether Intacct did it", where=error.where, why=f"{error.what}: {error.why}",
        mend="nothing to do: it is asked again under the same control id, which is never done twice", owner=error.owner,
        code="MLC-INTACCT-0210", retry_after=error.retry_after if isinstance(error, TransientError) else None,
    )  # fmt: skip


def contradicts(wrong: str, place: Place) -> TransientError:
    """A reply that was cut where it still reads, or put together wrongly: nothing of it is taken."""
    return TransientError(
        "a page of Intacct is not whole", where=_where(place), why=wrong, mend="nothing to do: it is tried again",
        code="MLC-INTACCT-0205",
    )  # fmt: skip


def unexpected_repeat(outcome: Outcome, place: Place) -> ConfigError:
    """The gateway has done a function with this control id, and we had not asked: two things share the id."""
    said = "; ".join(_said(fault) for fault in outcome.faults)
    return ConfigError(
        "Intacct has seen this control id before", where=_where(place, outcome.faults), why=f"no earlier attempt of ours used it{f'. Intacct says: {said}' if said else ''}",
        mend="find out what was done under it; after the ledger was restored from a backup, give new things new ids",
        owner="developer", code="MLC-INTACCT-0146",
    )  # fmt: skip


def scrub(faults: Iterable[Fault], hidden: Hidden) -> tuple[Fault, ...]:
    """The faults without anything secret: the gateway quotes the session id it refuses, whole or shortened, and could quote more."""
    names = ("number", "text", "correction", "support", "cause")
    return tuple(Fault(**{name: hidden.text(getattr(fault, name)) for name in names}) for fault in faults)


def http_error(status: int, place: Place, *, retry_after: float | None = None, detail: str = "") -> StageError:
    """What an HTTP status means when its body held no faults to go by."""
    where = f"{_where(place)}, HTTP {status}"
    if status == 429:
        return ThrottledError(
            "Intacct limits our requests", where=where, why="no free slot for this company", retry_after=retry_after,
            mend="nothing to do now; lower the connection's `concurrency`, or space out the other integrations",
            code="MLC-INTACCT-0202",
        )  # fmt: skip
    if status in (408, 425) or status >= 500:
        return TransientError(
            "the Intacct gateway failed", where=where, why=detail or "it or something in front of it is out of order",
            retry_after=retry_after, mend="nothing to do: it is tried again", code="MLC-INTACCT-0204",
        )  # fmt: skip
    if status in (301, 302, 303, 307, 308):
        why = "it redirects, and a redirect is never followed: it could lead the passwords elsewhere"
    else:
        why = detail or "the address is not the gateway's, or something in front of it refuses us"
    return HttpRefused(
        "the Intacct gateway refuses the request", where=where, why=why, code="MLC-INTACCT-0111",
        mend="correct the connection's `url` (INTACCT_URL); usually https://api.intacct.com/ia/xml/xmlgw.phtml",
    )  # fmt: skip


_UNREADABLE = {
    "empty": ("Intacct answered with nothing", "the connection broke off, or the gateway lost the request"),
    "malformed": ("Intacct's reply broke off or is not XML", "the reply was cut short on its way"),
    "html": ("an HTML page came instead of Intacct's reply", "something in front of the gateway answered for it"),
    "foreign": ("what answered is not the Intacct gateway", "the reply is XML, but not the gateway's"),
    "doctype": (
        "a reply with a DOCTYPE was refused",
        "the gateway never sends one, and it can make a reader open files",
    ),
}
_LONGEST_DETAIL = 120
_PASSING_PAGE = re.compile(
    r"(?i)just a moment|attention required|cloudflare|maintenance|unavailable|gateway|error|time-?out|busy|off-?line"
)


def unreadable_error(
    problem: Unreadable, status: int, place: Place, hidden: Hidden, *, retry_after: float | None = None
) -> StageError:
    """What a body that is no reply means: mostly a passing fault, at the first sign-in a wrong address."""
    what, why = _UNREADABLE[problem.kind]
    shown = hidden.text(problem.detail, _LONGEST_DETAIL)
    detail = f"{why} ({shown})" if shown else why
    if _is_passing(problem, status, place):
        return TransientError(
            what, where=_where(place), why=detail, retry_after=retry_after, code="MLC-INTACCT-0205",
            mend="nothing to do: it is tried again",
        )  # fmt: skip
    if status != 200:
        return http_error(status, place, retry_after=retry_after, detail=f"{what}: {detail}")
    if problem.kind == "html":
        what, detail = "this is not the Intacct gateway: got an HTML page", f"titled {shown or 'nothing'!r}"
    return ConfigError(
        what, where=_where(place), why=detail, code="MLC-INTACCT-0112",
        mend="correct the connection's `url` (INTACCT_URL); usually https://api.intacct.com/ia/xml/xmlgw.phtml",
    )  # fmt: skip


def _is_passing(problem: Unreadable, status: int, place: Place) -> bool:
    """A page in front of the gateway says so in its title; behind a session the address was right a moment ago."""
    challenge = problem.kind == "html" and _PASSING_PAGE.search(problem.detail) is not None
    if status != 200:
        return status == 403 and challenge
    return (
        challenge or problem.kind in ("empty", "malformed") or (place.form == "session" and problem.kind != "doctype")
    )
