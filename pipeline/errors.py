"""Every error the connector raises, what each one makes the engine do, and the exit code it ends in.

    ConnectorError                    exit 1
    ├── FlowError                     exit 2   a flow or partner file is wrong; carries every finding
    ├── UsageError                    exit 2   the command was called wrongly
    ├── ConnectError                  exit 4   signing in or connecting failed before anything ran
    ├── LockHeld                      exit 6   another process runs this flow
    ├── StoreError                    exit 1   the ledger cannot be read or written
    ├── EngineFault                   exit 1   the engine or a stage broke its contract
    └── StageError                             raised by stages; ``failure`` is its failure class
        ├── DataError                 data        this record is wrong: dead letter
        ├── RefusedError              refused     the far side said no, for good: dead letter
        ├── TransientError            transient   try again later; after a commit point: in doubt
        ├── ThrottledError            throttled   the far side asked for a pause; nothing happened there
        ├── SessionError              session     sign in again once, then repeat; nothing happened there
        ├── ConfigError               config      a setting is wrong: stop the lane or the flow
        ├── SignInRefused             config      the account is refused: stop every lane of the stage
        └── PermissionDenied          permission  a right is missing: stop the lane or the flow

What the engine needs is in the *type* and its attributes; what people need is in the four parts and the owner.
Signals are no errors: a stage raises `Excluded` or `Held` to settle a record with that outcome, and `CalledOff` ends a wait for a turn.
`Undetermined` is what a sink's ``find`` raises when it could not tell, so that an empty list always means absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Self

FailureClass = Literal["data", "refused", "transient", "throttled", "session", "config", "permission"]
Owner = Literal["AP", "EDI desk", "partner", "IT", "developer"]


class ConnectorError(Exception):
    """An error in four parts for people: what happened, where, why, and how to mend it.

    ``code`` is stable (``MLC-AREA-NNNN``); ``owner`` is who acts. No part may hold a secret.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        mend: str = "",
        owner: Owner = "IT",
        code: str = "MLC-INT-0000",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.mend = mend
        self.owner: Owner = owner
        self.code = code

    def __str__(self) -> str:
        return " | ".join(part for part in (self.what, self.where, self.why, self.mend) if part)


class FlowError(ConnectorError):
    """A flow file or a partner file is wrong. ``findings`` holds all of them (see `pipeline.flow.findings`)."""

    exit_code = 2

    def __init__(self, what: str, findings: tuple[object, ...] = (), **parts: str) -> None:
        super().__init__(what, owner="EDI desk", **parts)
        self.findings = findings


class UsageError(ConnectorError):
    """The command or the interface was called with something that cannot be."""

    exit_code = 2


class ConnectError(ConnectorError):
    """A system could not be reached or refused the sign-in, so the flow could not run."""

    exit_code = 4


class LockHeld(ConnectorError):
    """Another process runs this flow; running it twice at once could send twice."""

    exit_code = 6


class StoreError(ConnectorError):
    """The ledger cannot be read or written, or is of a newer version than this program."""


class EngineFault(ConnectorError):
    """The engine, or a stage, broke its contract: a fault to be mended in code. Nothing that was committed is lost."""


class StageError(ConnectorError):
    """Base of what stages raise. Raise one of its subclasses."""

    failure: ClassVar[FailureClass] = "data"


class DataError(StageError):
    """This record cannot be handled as it is; others can. It becomes a dead letter."""


class RefusedError(StageError):
    """The far side read the request and refused it for good. It becomes a dead letter."""

    failure: ClassVar[FailureClass] = "refused"


class TransientError(StageError):
    """It may work later. After the attempt's commit point the outcome is unknown, so the delivery is in doubt."""

    failure: ClassVar[FailureClass] = "transient"
    exit_code = 4

    def __init__(self, what: str, *, retry_after: float | None = None, **parts: str) -> None:
        super().__init__(what, **parts)  # type: ignore[arg-type]
        self.retry_after = retry_after  # seconds, as the far side asked


class ThrottledError(TransientError):
    """The far side asked for a pause before doing anything: never in doubt."""

    failure: ClassVar[FailureClass] = "throttled"


class SessionError(StageError):
    """The session or token was refused before anything was done. The client signs in once and repeats."""

    failure: ClassVar[FailureClass] = "session"
    exit_code = 4


class ConfigError(StageError):
    """A setting is wrong in a way only a person can mend; the lane or the flow stops, nothing is lost."""

    failure: ClassVar[FailureClass] = "config"
    exit_code = 4

    def again(self) -> Self:
        """A copy to raise elsewhere: one exception object raised in several tasks would mix their tracebacks."""
        return type(self)(self.what, where=self.where, why=self.why, mend=self.mend, owner=self.owner, code=self.code)


class SignInRefused(ConfigError):
    """The connection's account is refused, and so is every further call: all lanes of the stage stop for this run, which fails.

    A client raises it from then on without asking again, or the account would be locked.
    """


class PermissionDenied(ConfigError):
    """The account lacks a right; the lane or the flow stops, nothing is lost."""

    failure: ClassVar[FailureClass] = "permission"


class Undetermined(Exception):
    """`Sink.find` could not tell whether the delivery is on the far side. The reason is its text.

    ``gone``: it could tell that nothing of it is there now, and not whether something has been.
    """

    def __init__(self, why: str, *, gone: bool = False) -> None:
        super().__init__(why)
        self.gone = gone


class CalledOff(Exception):
    """The process was asked to stop while this waited for a turn: nothing was asked, and nothing is wrong. The run ends without it."""


class Excluded(Exception):
    """Raised by a stage: this record is left out by the rule of that name, and is counted as excluded.

    ``fingerprint`` says that leaving it out matters to whoever was sent something of it: it digests the record's values at the fields of
    an earlier document (see `Document`), and the record is held when they have changed since.
    """

    def __init__(
        self, rule: str, detail: str = "", *, fingerprint: Callable[[tuple[str, ...]], str] | None = None
    ) -> None:
        super().__init__(rule)
        self.rule = rule
        self.detail = detail
        self.fingerprint = fingerprint


class Held(Exception):
    """Raised by a stage: this record waits for an operator. The four parts say why and what to do."""

    def __init__(
        self, what: str, *, where: str = "", why: str = "", mend: str = "", owner: Owner = "AP", code: str
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.why, self.mend = what, where, why, mend
        self.owner: Owner = owner
        self.code = code
