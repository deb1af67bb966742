"""The stage contracts: what a source, map, filter, encoder and sink must offer, and how an adapter exports them.

A stage is declared by a `StageSpec` in its adapter's `Adapter`. A map may be a plain function. Everything a stage needs
from outside (clock, ids, randomness, a connection, threads) comes in its `Context`; it reaches for nothing itself.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import msgspec

from pipeline.clock import Clock, Ids
from pipeline.errors import ConnectorError
from pipeline.record import (
    Answer,
    Counter,
    Delivery,
    Destination,
    Document,
    Drift,
    Evidence,
    Known,
    Page,
    Record,
    Stored,
    Tally,
    Window,
)
from pipeline.shared import Shared

T = TypeVar("T")
Verb = Literal["source", "map", "filter", "branch", "encode", "sink"]

COMMIT_POINT = "commit point"
"""The mark a sink makes durable before the call that can take effect: from then on a failure means *in doubt*."""


class Mark(Protocol):
    """``await mark(key, value)`` returns when the mark is durable. Use `COMMIT_POINT` before the call that takes effect."""

    def __call__(self, key: str, value: str = "") -> Awaitable[None]: ...


class Source(Protocol):
    """Reads pages. The engine calls ``read`` again with the cursor of the page before, until ``more`` is false or it
    returns None. Records come in a stable order; repeats are allowed (overlap): the engine drops them.

    Raise `TransientError` to be called again after a pause, `ConfigError`/`PermissionDenied` to end the run.
    """

    async def read(self, window: Window, cursor: dict[str, str] | None) -> Page | None: ...


@runtime_checkable
class Scoped(Protocol):
    """A source whose cursor belongs to a scope, such as a company and an entity: each scope has a cursor of its own."""

    scope: str


@runtime_checkable
class Counts(Protocol):
    """A source whose far side can be asked what a window by date holds, apart from reading it: what `reconcile` compares the ledger with.

    ``tally`` has the far side count and add up; None when it cannot. ``listing`` yields the window's records page by page, without bodies, each once.
    ``present`` says which keys of this source's records the far side still has, whatever their date. ``object`` is that of its records.
    """

    object: str

    async def tally(self, window: Window) -> list[Tally] | None: ...
    def listing(self, window: Window) -> AsyncIterator[list[Record]]: ...
    async def present(self, keys: Sequence[str]) -> set[str]: ...


@runtime_checkable
class Partial(Protocol):
    """A source of several places that reads what it can: ``left`` says at its end which it could not read, one error for each.

    They are told as the run's, which is then not clean (exit code 5); the next run takes them up. One that can read nothing raises instead.
    """

    @property
    def left(self) -> Sequence[ConnectorError]: ...


@runtime_checkable
class Settles(Protocol):
    """A source that must know when a page's outcomes are durable (a mailbox extracts only then).

    ``settled`` is called for each page in order, again when it raised a `TransientError`. What it returns takes the place of the page's
    cursor, so that what it did is known to later runs; None leaves that as it is.
    """

    async def settled(self, page: Page) -> dict[str, str] | None: ...


MapResult = Record | list[Record] | None
MapFunction = Callable[[Record], MapResult | Awaitable[MapResult]]
"""A plain function is a map. None or an empty list drops the record: it is counted as excluded by the stage's name."""


FilterFunction = Callable[[Record], bool | Awaitable[bool]]
"""A component of the verb ``filter``: True keeps the record, False excludes it by the stage's rule. Nothing else counts as an answer."""


class Encode(Protocol):
    """Makes documents and packs them. Both are pure; both may raise `DataError`, which makes that one document dead.

    ``render`` gives bodies without control numbers. ``amend`` gives the body for version 2 and later of a document already sent.
    ``counters`` says which numbers a pack needs; ``pack`` returns the final bytes and must be deterministic.
    """

    def render(self, record: Record) -> list[Document]: ...
    def amend(self, document: Document, version: int) -> Document: ...
    def counters(self, documents: Sequence[Stored]) -> Sequence[Counter]: ...
    def pack(self, documents: Sequence[Stored], numbers: Mapping[str, int], now: datetime) -> bytes: ...


@runtime_checkable
class Titles(Protocol):
    """An encoder that names its deliveries. The name must be deterministic and unique at the sink: a delivery is found by it."""

    def title(self, documents: Sequence[Stored]) -> str: ...


class Sink(Protocol):
    """Delivers sealed bytes. ``send`` must ``await mark(COMMIT_POINT)`` before the call that can take effect, and returns
    evidence or raises a `StageError`. See `Finds` for exactly-once; without it the sink is at-least-once and the engine says so.
    """

    def destination(self, document: Document) -> Destination: ...
    async def send(self, delivery: Delivery, mark: Mark) -> Evidence: ...


@runtime_checkable
class Finds(Protocol):
    """A sink that can say whether a delivery is on the far side.

    ``find`` returns every match and raises `pipeline.errors.Undetermined` when it could not tell: an empty list means absent
    and has always been.
    ``settle_seconds`` is how long after an attempt a message may still appear.
    """

    settle_seconds: float

    async def find(self, delivery: Delivery) -> list[Evidence]: ...


@runtime_checkable
class Upserts(Protocol):
    """A sink whose deliveries are desired states (``upsert = True``): the ledger keeps the state last written, by lane."""

    upsert: bool


@runtime_checkable
class Compares(Protocol):
    """A sink of wanted states that can compare all of them with its far side at once, reading only.

    ``wanted`` are all states the flow makes now, ``left_out`` tells of source records by key why there is none of them. Raises `StageError`.
    """

    async def drift(self, wanted: Sequence[Document], left_out: Mapping[str, str]) -> list[Drift]: ...


@runtime_checkable
class Paced(Protocol):
    """A sink that knows how many deliveries at once keep its far side busy; the flow's own ``workers`` wins.

    Each of them also waits for the ledger, twice: so it is more than the connections that the far side is given.
    """

    workers: int


@runtime_checkable
class Names(Protocol):
    """A sink that chooses how message names begin; together with lane, number and digest they are unique."""

    name_prefix: str


@runtime_checkable
class Acknowledges(Protocol):
    """A sink without a far side: it turns answers of partners into what the ledger matches with documents that were sent.

    ``answer`` is pure and may raise `DataError`. What it returns is written with the page it came from, in one transaction.
    """

    def answer(self, record: Record) -> Answer: ...


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls they are that a client makes, and how many of them a month are paid for; 0: not known, only counted.

    Calls of one ``account`` add up, whatever the connection, flow or process. ``unit`` is a noun (``API transaction``). From ``warn_percent``
    of the allowance on people are told.
    """

    account: str
    unit: str = "call"
    calls: int = 0
    warn_percent: int = 80


@runtime_checkable
class Metered(Protocol):
    """A client whose calls the far side bills or limits by the month: ``used`` counts them since it was opened."""

    used: int
    allowance: Allowance


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What reading would take: records, pages of them, and calls in all. ``note`` says what the numbers rest on."""

    records: int
    pages: int
    calls: int
    note: str = ""


@runtime_checkable
class Estimates(Protocol):
    """A source that can tell what reading would take, for `run --estimate`: it may count, and must not read."""

    async def estimate(self, window: Window, cursor: dict[str, str] | None) -> Estimate: ...


Recall = Callable[[str, str, Sequence[str]], Awaitable[list[Known]]]
"""(company, object, names) -> those the flow has read before, by key or alias. A name may mean several, or none."""


async def recall_each(company: str, object: str, names: Sequence[str]) -> list[Known]:
    """The memory of those who have no ledger: every name is known by itself."""
    return [Known(name, name) for name in dict.fromkeys(names)]


async def nothing_to_do() -> None:
    """For those whose calls nobody counts."""


class Context(msgspec.Struct):
    """What a stage is built with. ``folder`` is the flow file's directory; ``offload`` runs a function off the event loop.

    ``output`` is where relative names of files that a stage writes begin, None: the flow file's directory.
    ``note`` tells people something worth knowing that is no error; ``recall`` is what the ledger remembers of this flow's records; ``shared`` is what flows have in common, and the slots of what allows only so many calls.
    ``spent`` is what a `Metered` client awaits when it has counted a call, before the call is made: so a kill loses the count of few.
    ``watch`` is for a connection's ``diagnose``: it counts the calls of the `Metered` clients that are opened there.
    """

    stage: str
    folder: Path
    clock: Clock
    ids: Ids
    rng: random.Random
    offload: Callable[..., Awaitable[Any]]
    connection: Any = None
    environment: Mapping[str, str] = {}
    shared: Shared = msgspec.field(default_factory=Shared)
    note: Callable[[str], None] = lambda text: None
    recall: Recall = recall_each
    watch: Callable[[Any], None] = lambda client: None
    spent: Callable[[], Awaitable[None]] = nothing_to_do
    output: Path | None = None


CheckState = Literal["ok", "warning", "failed", "skipped"]


class Diagnosis(msgspec.Struct, frozen=True):
    """One line of `ml-connector doctor`: what was checked, how it is, and what was found.

    A warning and a failure carry a ``problem`` in four parts. Use the constructors; ``found`` says what the problem does not.
    """

    name: str
    state: CheckState
    found: str = ""
    problem: ConnectorError | None = None

    @classmethod
    def ok(cls, name: str, found: str = "") -> Diagnosis:
        return cls(name, "ok", found)

    @classmethod
    def warning(cls, name: str, problem: ConnectorError, found: str = "") -> Diagnosis:
        """It works, but somebody should know."""
        return cls(name, "warning", found, problem)

    @classmethod
    def failed(cls, name: str, problem: ConnectorError, found: str = "") -> Diagnosis:
        """A run would fail, or do less than it should."""
        return cls(name, "failed", found, problem)

    @classmethod
    def skipped(cls, name: str, why: str) -> Diagnosis:
        """It could not be checked, for this reason."""
        return cls(name, "skipped", why)


Tell = Callable[[Diagnosis], None]
"""Reports one line of `doctor`; it is shown at once."""


class StageSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One stage an adapter offers. ``config`` is the type of its ``with`` settings, ``connection`` the type ``via`` must name.

    ``build(settings, context)`` returns the stage. ``lint(settings, folder, environment)`` returns findings of its own without any connection
    (see `pipeline.flow.findings.Finding`), so that `ml-connector check` can report the files a stage reads.
    ``destinations(settings, folder, environment)`` lists every destination that the documents made here may go to.
    ``diagnose(settings, context, destinations, tell)`` checks for `doctor` what the stage needs beyond its connection, changing nothing:
    ``context.connection`` is the open client, ``destinations`` what the stages above it in the flow offer. What it raises is a failed line.
    ``compares`` says that the sink has ``drift`` (see `Compares`).
    ``reread(said)`` is for sinks with ``answer``: the answer again from its ``said``, in any run; pure. None when it cannot be read.
    """

    name: str
    verb: Verb
    build: Callable[[Any, Context], Any]
    config: type | None = None
    connection: str | None = None
    lint: Callable[[Any, Path, Mapping[str, str]], list[Any]] | None = None
    destinations: Callable[[Any, Path, Mapping[str, str]], Sequence[Destination]] | None = None
    diagnose: Callable[[Any, Context, Sequence[Destination], Tell], Awaitable[None]] | None = None
    reread: Callable[[bytes], Answer | None] | None = None
    doc: str = ""
    exactly_once: bool = (
        False  # for sinks: that it has ``find`` or ``answer``; any other is at-least-once, and `check` and `run` say so
    )
    compares: bool = False


class ConnectionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One connection type. ``open(settings, context)`` is an async context manager that yields the client the stages get.

    ``check(client)`` signs in and looks around for `check --live`; it raises `ConnectorError` in four parts.
    ``diagnose(settings, context, tell)`` does so step by step for `doctor`, and opens what it needs itself, so that it can say why
    opening fails. It changes nothing on the far side, and returns whether what uses the connection can be checked over it. What it
    raises is a failed line. Without it `doctor` opens and checks. ``title(settings)`` is what people call the system behind it, without secrets.
    """

    name: str
    config: type
    open: Callable[[Any, Context], AbstractAsyncContextManager[Any]]
    check: Callable[[Any], Awaitable[None]] | None = None
    diagnose: Callable[[Any, Context, Tell], Awaitable[bool]] | None = None
    title: Callable[[Any], str] = lambda settings: ""
    doc: str = ""


class SimulatorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``port`` 0 picks a free one. ``bills``, ``months`` (over which they are spread) and ``seed`` decide the data; equal ones give equal bytes.

    ``profile`` is one of the simulator's own, "" the one it has first.
    """

    port: int = 0
    bills: int = 200
    seed: int = 1
    months: int = 1
    profile: str = ""
    clock: Clock


class Simulation(Protocol):
    """A running simulator: the variables that point the shipped flows at it, and its own log of effects (the oracle)."""

    environment: Mapping[str, str]
    summary: str

    def effects(self) -> Sequence[Mapping[str, Any]]: ...


class SimulatorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """``start(options)`` is an async context manager yielding a `Simulation` that listens on 127.0.0.1.

    ``profiles`` name the kinds of installation that it can be; none when it is of one kind only.
    """

    name: str
    profiles: tuple[str, ...] = ()
    start: Callable[[SimulatorOptions], AbstractAsyncContextManager[Simulation]]


Paint = Callable[[str, str], str]
"""(text, role) -> the text, coloured for a terminal; roles are title, segment, element, meaning, damage, error, warning."""


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a command has to say: lines for people, one versioned object for ``--json``, and whether it found errors (exit 3).

    ``lines`` are written one by one as they come, so that a large file need not be held as text; ``json`` may be a function that makes the
    object, and is called with ``--json`` only.
    """

    lines: Iterable[str]
    json: Any
    failed: bool = False


class CommandSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A verb an adapter adds to the command, ``ml-connector ADAPTER NAME FILE``. The command reads the files; the verb does no I/O.

    ``run(data, name, extra, paint)`` gets the bytes of FILE and its name; ``options`` names further files by option (``guide``) with
    a line of help, and ``extra`` holds the text of those that were given. Of an option in ``under`` the file of that name in the same
    folder comes too, as ``extra["guide under"]``: what the given file rests on. It may raise `ConnectorError`.
    """

    name: str
    help: str
    run: Callable[[bytes, str, Mapping[str, str], Paint], CommandResult]
    options: Mapping[str, str] = {}
    under: Mapping[str, str] = {}


class QuerySpec(msgspec.Struct, frozen=True, kw_only=True):
    """A verb an adapter adds that asks a system: ``ml-connector ADAPTER NAME ARGUMENT``. It changes nothing on the far side.

    ``ask(client, argument, options)`` gets the open client of a connection of type ``connection``: of the flow file that the user
    names, or of a shipped one. ``options`` are texts by name, "" when not given. It may raise `ConnectorError`.
    """

    name: str
    help: str
    connection: str
    argument: str
    argument_help: str
    ask: Callable[[Any, str, Mapping[str, str]], Awaitable[CommandResult]]
    options: Mapping[str, str] = {}


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter exports as ``ADAPTER`` through the entry-point group ``ml_connector.adapters``.

    ``readable`` turns a delivered payload of this adapter's format into lines for people, ``lines`` cuts its text where the format
    does, changing nothing else; ``excerpt(payload, body)`` leaves of a delivered payload what one document's body became and what
    holds it. All three return None when it is not their format. ``explain(origins, name)`` picks from a plan's origins the lines about
    one element of it. ``read_from`` tells for records of an object (``Record.object``) which field each path of the body is read from.
    """

    name: str
    stages: tuple[StageSpec, ...] = ()
    connections: tuple[ConnectionSpec, ...] = ()
    simulator: SimulatorSpec | None = None
    commands: tuple[CommandSpec, ...] = ()
    queries: tuple[QuerySpec, ...] = ()
    readable: Callable[[bytes], list[str] | None] | None = None
    lines: Callable[[bytes], list[str] | None] | None = None
    excerpt: Callable[[bytes, bytes], bytes | None] | None = None
    explain: Callable[[str, str], list[str]] | None = None
    read_from: Mapping[str, Mapping[str, str]] = {}
