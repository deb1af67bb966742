"""One request through the gateway, without a socket: bytes in, bytes out, and what it did in the effects log.

The order of refusal is the real one: well-formed, ``control``, sender, structure, login or session, then function by function.
Structure is that of functions too: an unknown function or child, or a page too large, refuses the whole request in ``control``. That
it is so for a page too large is our reading; it is not published.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from lxml import etree

from pipeline import Clock
from stages.ap.seed.world import World
from stages.intacct.simulator.answer import Answer
from stages.intacct.simulator.books import Books
from stages.intacct.simulator.elements import children, text
from stages.intacct.simulator.envelope import (
    Control,
    Function,
    Login,
    Operation,
    Result,
    add,
    add_refusal,
    add_result,
    asynchronous,
    read_control,
    read_document,
    read_operations,
    start_reply,
    written,
)
from stages.intacct.simulator.errors import (
    DENIED,
    IDENTITY,
    NO_OBJECT,
    ROLLED_BACK,
    FunctionRefused,
    GatewayError,
    RequestRefused,
)
from stages.intacct.simulator.functions import Functions
from stages.intacct.simulator.sessions import Session, Sessions
from stages.intacct.simulator.writing import DECISIONS, LEGACY, STEPS

PATH = "/ia/xml/xmlgw.phtml"
SECOND_PATH = "/na07/ia/xml/xmlgw.phtml"
_BILLABLE = frozenset({"query", "readByQuery", "readMore", "create", "update", "delete", "get_list"})
_BILLABLE_LEGACY = ("create_", "update_", "delete_", "reverse_")


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """Where real companies differ, and how strict to be. The defaults are the strictest that public clients live with."""

    session_seconds: float = 6 * 3600
    session_offset_hours: float = 0  # of the zone in which replies tell a session's times; -8 or -7 in older ones
    tell_timeout: bool = True  # older replies leave sessiontimeout out
    result_set_seconds: float = 1800
    second_endpoint: bool = True  # getAPISession names another path, and sessions are refused at the first
    endpoint: str = ""  # the endpoint to name instead, whole
    strict_content_type: bool = False  # only application/xml and text/xml
    missing_key: Literal["omit", "fail"] = "omit"
    zone_hours: float = 0  # what WHENMODIFIED is ahead of UTC ...
    zone: str = ""  # ... or the IANA zone it is shown in
    hidden: frozenset[str] = frozenset()  # fields this company lacks, as OBJECT.FIELD
    unqueryable: frozenset[str] = frozenset()  # fields that lookup tells and query refuses, as OBJECT.FIELD
    unfilterable: frozenset[str] = (
        frozenset()
    )  # fields that query shows and takes in no filter, as OBJECT.FIELD or OBJECT.PATH.FIELD
    custom: frozenset[str] = frozenset()  # text fields of its own, as OBJECT.FIELD
    console: str = ""  # a console whose user this company lets in; then the user is the console's
    unauthorised: Mapping[str, str] = {}  # senders (with their passwords) the company has not authorised
    denied: frozenset[str] = frozenset()  # objects the user's role does not include
    absent: frozenset[str] = frozenset()  # objects of modules the company has not subscribed to
    lock_after: int = 0  # so many refused sign-ins lock the user; 0: never
    remember_seconds: float = 0  # how long a completed controlid is refused; 0: for ever
    duplicate: str = IDENTITY  # the errorno of a refused controlid, which is not published
    bare_duplicate: bool = False  # the refusal has neither status nor error, a shape that has been seen
    error_ids: bool = True  # False: an older gateway, whose schema has no showadditionalerrorinfo
    indented: bool = False  # replies are, whatever includewhitespace says
    skip_after_failure: bool = True  # in a transaction: functions after the culprit are left out of the reply
    concurrency: int = 0  # requests in work at once; 0: any number
    queue: int = 20  # how many more may wait before GW-0010
    hold_seconds: float = 30  # how long one waits at most, by the simulator's clock
    latency_seconds: float = 0  # before each answer, by the simulator's clock


class Counts(msgspec.Struct):
    """What a flow cost. ``billable`` counts as Sage does: each list page and each write."""

    requests: int = 0
    logins: int = 0
    login_failures: int = 0
    session_failures: int = 0
    functions: int = 0
    billable: int = 0
    faults: int = 0
    throttled: int = 0  # refused at the gate


class Effects:
    """The log of what happened, oldest first. Never holds a password or a session's id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.entries: list[dict[str, Any]] = []

    def add(self, kind: str, **facts: Any) -> None:
        self.entries.append({"kind": kind, "at": self._clock.now().isoformat(), **facts})


class Gateway:
    """The gateway of one company. Not safe for threads; one request is answered without a pause."""

    def __init__(self, world: World, clock: Clock, *, behaviour: Behaviour, seed: int) -> None:
        self.world = world
        self.behaviour = behaviour
        zone = ZoneInfo(behaviour.zone) if behaviour.zone else timezone(timedelta(hours=behaviour.zone_hours))
        self.books = Books(
            world,
            clock,
            zone=zone,
            hidden=behaviour.hidden,
            custom=behaviour.custom,
            unqueryable=behaviour.unqueryable,
            unfilterable=behaviour.unfilterable,
        )
        self.counts = Counts()
        self.effects = Effects(clock)
        self._clock = clock
        # Two streams, so that how often a client signs in does not change the order of rows.
        self._texts = random.Random(f"texts {seed}")
        self.sessions = Sessions(
            world, duration=timedelta(seconds=behaviour.session_seconds), rng=random.Random(f"sessions {seed}")
        )
        self._functions = Functions(
            self.books,
            random.Random(f"rows {seed}"),
            keep=timedelta(seconds=behaviour.result_set_seconds),
            missing=behaviour.missing_key,
            denied=behaviour.denied | behaviour.absent,
        )
        self._completed: dict[tuple[str, str, str], datetime] = {}

    def answer(self, body: bytes, *, path: str = PATH, base: str = "", failing: GatewayError | None = None) -> bytes:
        """The reply to a request that came to ``path`` of ``base``. With ``failing`` every function fails with that error."""
        self.books.settle()
        control: Control | None = None
        try:
            root = read_document(body)
            control = read_control(root, newer=self.behaviour.error_ids)
            self._check_sender(control)
            if asynchronous(root):
                raise RequestRefused(IDENTITY, "There is no transport policy of that name")
            operations = read_operations(root)
            for operation in operations:
                for function in operation.functions:
                    self._functions.check(function.name, function.element, legacy=control.legacy)
        except RequestRefused as refused:
            self.effects.add("request refused", errorno=refused.errors[0].errorno, text=refused.errors[0].description2)
            return written(start_reply(control, refused.errors), whitespace=control.whitespace if control else False)
        response = start_reply(control)
        for operation in operations:
            self._operate(etree.SubElement(response, "operation"), _Visit(control, operation, path, base, failing))
        return written(response, whitespace=control.whitespace or self.behaviour.indented)

    def _check_sender(self, control: Control) -> None:
        senders = {self.world.sender: self.world.sender_password, **self.behaviour.unauthorised}
        if senders.get(control.sender) != control.password:
            raise RequestRefused(IDENTITY, "Incorrect Intacct XML Partner ID or password.")

    # Signing in

    def _operate(self, element: etree._Element, visit: _Visit) -> None:
        now = self._clock.now()
        credentials = visit.operation.credentials
        session = self._sign_in(element, credentials, visit, now)
        if session is None:
            return
        authentication = etree.SubElement(element, "authentication")
        add(authentication, "status", "success")
        add(authentication, "userid", session.user)
        add(authentication, "companyid", session.company)
        add(authentication, "locationid", session.location)
        zone = timezone(timedelta(hours=self.behaviour.session_offset_hours))
        add(authentication, "sessiontimestamp", _instant(session.started, zone))
        if self.behaviour.tell_timeout:
            add(authentication, "sessiontimeout", _instant(session.deadline, zone))
        for result in self._results(visit, session, now):
            add_result(element, result, detailed=visit.control.detailed)

    def _sign_in(
        self, element: etree._Element, credentials: Login | str, visit: _Visit, now: datetime
    ) -> Session | None:
        if isinstance(credentials, Login):
            return self._log_in(element, credentials, visit, now)
        session = None if self._wrong_endpoint(visit.path) else self.sessions.use(credentials, now)
        if session is not None and visit.control.sender not in self.behaviour.unauthorised:
            return session
        self.counts.session_failures += 1
        self.effects.add("session refused", path=visit.path)
        # A real gateway says no more than that it is invalid; whoever tries a client here may be told why.
        correction = f"Sessions are served at {self._endpoint(visit.base)}" if self._wrong_endpoint(visit.path) else ""
        problem = f"Invalid session {credentials[:4]}...."
        add_refusal(element, "", "", problem, correction=correction, detailed=visit.control.detailed)
        return None

    def _wrong_endpoint(self, path: str) -> bool:
        return self.behaviour.second_endpoint and path != SECOND_PATH

    def _log_in(self, element: etree._Element, login: Login, visit: _Visit, now: datetime) -> Session | None:
        login = _slid(login)
        known = self._knows(login)
        if 0 < self.behaviour.lock_after <= self.counts.login_failures:
            problem = "Your account has been locked out. Contact your administrator."
        elif not known:
            problem = "Sign-in information is incorrect"
        elif visit.control.sender in self.behaviour.unauthorised:
            problem = f"The sender ID '{visit.control.sender}' is not authorized to make Web Services requests to this company"
        elif not self.sessions.has_entity(login.location):
            problem = "Sign-in information is incorrect. Please check your request."
        else:
            # A login serves its own request; only getAPISession hands out a session for later ones.
            self.counts.logins += 1
            self.effects.add("login", location=login.location)
            return self.sessions.open(login.location, now, listed=False)
        self.counts.login_failures += 1
        self.effects.add("login refused", location=login.location, text=problem)
        add_refusal(element, login.user, login.company, problem, detailed=visit.control.detailed)
        return None

    def _knows(self, login: Login) -> bool:
        """A console's user comes in by naming the console, and the company as its client."""
        world, console = self.world, self.behaviour.console
        companies = (console, world.company) if console else (world.company, "")
        return (login.company, login.client) == companies and self.sessions.knows(
            user=login.user, company=world.company, password=login.password
        )

    # Functions

    def _results(self, visit: _Visit, session: Session, now: datetime) -> list[Result]:
        results: list[Result] = []
        undo: list[Callable[[], None]] = [partial(self.books.forget_notes, self.books.notes)]
        done: list[tuple[str, str, str]] = []
        failed = False
        for function in visit.operation.functions:
            if failed and visit.operation.atomic:
                if not self.behaviour.skip_after_failure:
                    results.append(_aborted(function))
                continue
            result, answer = self._result(function, visit, session, now, done)
            results.append(result)
            failed = failed or result.status != "success"
            if answer is not None and answer.undo is not None:
                undo.append(answer.undo)
        if failed and visit.operation.atomic:
            return self._rolled_back(results, undo)
        self._completed.update(dict.fromkeys(done, now))
        return results

    def _rolled_back(self, results: list[Result], undo: list[Callable[[], None]]) -> list[Result]:
        """What a failed transaction answers: what had been done is aborted, the culprit has its own error first."""
        for action in reversed(undo):
            action()
        self.effects.add("rolled back", functions=len(results))
        mark = GatewayError(
            ROLLED_BACK, "The entire transaction in this operation has been rolled back due to an error."
        )
        for result in results:
            result.status = "failure" if result.status == "failure" else "aborted"
            result.data = None
            result.errors = (*(error for error in result.errors if error.errorno != ROLLED_BACK), mark)
        return results

    def _result(
        self, function: Function, visit: _Visit, session: Session, now: datetime, done: list[tuple[str, str, str]]
    ) -> tuple[Result, Answer | None]:
        self.counts.functions += 1
        identity = (visit.control.sender, self.world.company, function.controlid)
        try:
            if visit.failing is not None:
                raise FunctionRefused(
                    visit.failing.errorno,
                    visit.failing.description2,
                    description=visit.failing.description,
                    correction=visit.failing.correction,
                )
            if visit.control.unique and (self._is_completed(identity, now) or identity in done):
                if self.behaviour.bare_duplicate:
                    self.effects.add("function refused", function=function.name, errorno="", text="")
                    return Result(status="", function=function.name, controlid=function.controlid), None
                raise FunctionRefused(
                    self.behaviour.duplicate, f"A function with the controlid {function.controlid} was completed before"
                )
            answer = self._call(function, visit, session, now)
        except FunctionRefused as refused:
            if not visit.operation.atomic:  # then what was done before it stays done
                self._bill(function, refused.writes)
            return self._failure(function, refused), Answer(undo=refused.undo)
        if visit.control.unique:
            done.append(identity)
        self._bill(function, answer.writes)
        self.effects.add(function.name, controlid=function.controlid, location=session.location, **answer.facts)
        return _success(function, answer), answer

    def _bill(self, function: Function, times: int) -> None:
        if function.name in _BILLABLE or function.name.startswith(_BILLABLE_LEGACY):
            self.counts.billable += times

    def _is_completed(self, identity: tuple[str, str, str], now: datetime) -> bool:
        at, keep = self._completed.get(identity), self.behaviour.remember_seconds
        return at is not None and (not keep or now < at + timedelta(seconds=keep))

    def _failure(self, function: Function, refused: FunctionRefused) -> Result:
        error = refused.error
        self.effects.add("function refused", function=function.name, errorno=error.errorno, text=error.description2)
        # The identifier differs from reply to reply, so texts cannot be compared whole.
        marked = f"{error.description2} [Support ID: {self._texts.getrandbits(48):012X}%7E{self._texts.getrandbits(40):010X}]"
        object = min(_named(function), default="")
        error = msgspec.structs.replace(error, description2=marked.lstrip(), object=object)
        return Result(
            status="failure",
            function=function.name,
            controlid=function.controlid,
            data=refused.data,
            errors=(error, *(msgspec.structs.replace(more, object=object) for more in refused.more)),
        )

    def _call(self, function: Function, visit: _Visit, session: Session, now: datetime) -> Answer:
        if function.name != "getAPISession":
            self._check_rights(function)
            return self._functions.call(function.name, function.element, session, now)
        if len(visit.operation.functions) > 1:
            raise FunctionRefused(IDENTITY, "getAPISession must be the only function of its request")
        parts = children(function.element, ("locationid",))
        location = text(parts["locationid"]) if "locationid" in parts else session.location
        if not self.sessions.has_entity(location):
            raise FunctionRefused(IDENTITY, f"There is no entity {location}")
        opened = self.sessions.open(location, now)
        data = etree.Element("data")
        api = etree.SubElement(data, "api")
        add(api, "sessionid", opened.id)
        add(api, "endpoint", self._endpoint(visit.base))
        add(api, "locationid", location)
        return Answer(data=data, facts={"entity": location})

    def _check_rights(self, function: Function) -> None:
        for name in sorted(_named(function)):
            if name in self.behaviour.absent:
                raise FunctionRefused(NO_OBJECT, f"Object definition {name} not found")
            if name in self.behaviour.denied:
                operation, type = function.name.upper(), name.lower()
                raise FunctionRefused(
                    DENIED, f"You do not have permission for API operation {operation} on objects of type {type}"
                )

    def _endpoint(self, base: str) -> str:
        return self.behaviour.endpoint or base + (SECOND_PATH if self.behaviour.second_endpoint else PATH)


class _Visit(msgspec.Struct, frozen=True):
    """One operation on its way through."""

    control: Control
    operation: Operation
    path: str
    base: str
    failing: GatewayError | None


def _slid(login: Login) -> Login:
    """A login that names console, client and entity in one word."""
    if "|" not in login.company:
        return login
    console, client, entity = (*login.company.split("|"), "", "")[:3]
    return msgspec.structs.replace(login, company=console, client=client, location=entity or login.location)


def _named(function: Function) -> set[str]:
    """The objects a function is about, as far as it says so."""
    if function.name in LEGACY:
        return {LEGACY[function.name].object}
    if function.name in STEPS:
        return {"APPYMT"}
    if function.name in ("create", "update", *DECISIONS):
        return {str(record.tag).upper() for record in function.element if isinstance(record.tag, str)}
    return {(function.element.findtext("object") or function.element.get("object") or "").strip().upper()}


def _success(function: Function, answer: Answer) -> Result:
    return Result(
        status="success",
        function=function.name,
        controlid=function.controlid,
        key=answer.key,
        listed=answer.listed,
        data=answer.data,
    )


def _aborted(function: Function) -> Result:
    error = GatewayError(ROLLED_BACK, "Not executed: the transaction failed before.")
    return Result(status="aborted", function=function.name, controlid=function.controlid, errors=(error,))


def _instant(moment: datetime, zone: timezone) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds")
