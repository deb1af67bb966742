"""Running one stage between its edges: call it for each record of a chunk, route what it returns, settle what it raises."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from pipeline.engine.edge import Edge
from pipeline.engine.faults import ContractError, explained
from pipeline.engine.receipt import LeftOut
from pipeline.errors import CalledOff, ConfigError, Excluded, FlowError, Held, StageError
from pipeline.flow.expression import Expression
from pipeline.flow.model import MAIN, Stage
from pipeline.record import Answer, Document, Record
from pipeline.store.rows import Problem

CHUNK = 256
"""Records per call of a stage: large enough to make the edge's cost small, small enough to keep every stage busy."""

Outputs = Mapping[str, Sequence[Edge]]


class Node:
    """Base of all stage workers. Closes its output edges when its input has ended."""

    def __init__(self, stage: Stage, source: Edge, outputs: Outputs) -> None:
        self.stage = stage
        self._source = source
        self._outputs = outputs

    async def run(self) -> None:
        try:
            while chunk := await self._source.get_many(CHUNK):
                if chunk[0].receipt.rows is not None:
                    self._sign(chunk)
                await self.handle(chunk)
        finally:
            close_all(self._outputs)

    def _sign(self, chunk: list[Record]) -> None:
        """In debug mode: notes that these records came to this stage."""
        for record in chunk:
            record.receipt.seen[record.row] = self.stage.name

    async def handle(self, chunk: list[Record]) -> None:
        raise NotImplementedError

    async def emit(self, records: list[Record], port: str = MAIN) -> None:
        await emit(self._outputs, records, port)

    def settle(self, record: Record, signal: Exception) -> None:
        """Ends this branch of the record with the outcome that the signal means."""
        settle(record, signal, self.stage.name)


async def emit(outputs: Outputs, records: list[Record], port: str = MAIN) -> None:
    """To every reader of this port; with several readers each record becomes as many branches."""
    edges = outputs[port]
    if not records:
        return
    if len(edges) > 1:
        for record in records:
            record.receipt.split(record.row, len(edges) - 1)
    for edge in edges:
        await edge.put_many(records)


def close_all(outputs: Outputs) -> None:
    for edges in outputs.values():
        for edge in edges:
            edge.close()


def settle(record: Record, signal: Exception, stage: str) -> None:
    """Ends one branch of the record. A wrong setting or a stop is no fault of the record: it is raised, and ends the run."""
    if isinstance(signal, CalledOff | ConfigError | FlowError):
        raise signal
    if isinstance(signal, Excluded):
        matters = LeftOut(stage, signal.fingerprint) if signal.fingerprint is not None else None
        record.receipt.exclude(record.row, signal.rule, matters)
        return
    subject = f"{record.kind} {record.label or record.key}"
    problem = Problem.of(signal if isinstance(signal, Held) else explained(signal, stage, subject))
    if not isinstance(signal, StageError | Held):
        problem = msgspec.structs.replace(problem, failure="data")
    record.receipt.fail(record.row, problem, stage, partner_of(record.body))


def partner_of(body: Any) -> str:
    """The partner's code where the body knows one."""
    partner = getattr(body, "partner", "")
    return partner if isinstance(partner, str) else ""


class MapNode(Node):
    """Calls a plain function, sync or async, for each record."""

    def __init__(self, stage: Stage, source: Edge, outputs: Outputs, function: Callable[[Record], Any]) -> None:
        super().__init__(stage, source, outputs)
        self._function = function

    async def handle(self, chunk: list[Record]) -> None:
        out: list[Record] = []
        for record in chunk:
            try:
                result = self._function(record)
                if inspect.isawaitable(result):
                    result = await result
            except Exception as signal:  # noqa: BLE001  becomes this record's outcome
                self.settle(record, signal)
                continue
            if type(result) is Record and result.receipt is not None:
                out.append(result)
            else:
                self._take(record, result, out)
        await self.emit(out)

    def _take(self, record: Record, result: object, out: list[Record]) -> None:
        records: list[Any] = result if isinstance(result, list) else [] if result is None else [result]
        if not all(type(item) is Record for item in records):
            self.settle(
                record, ContractError(f"a map returns a Record, a list of them or None, not {type(result).__name__}")
            )
        elif not records:
            record.receipt.exclude(record.row, self.stage.rule or self.stage.name)
        else:
            # Fresh records made by the stage settle on the receipt of the record they came from.
            record.receipt.split(record.row, len(records) - 1)
            out.extend(
                item if item.receipt is not None else item.replace(receipt=record.receipt, row=record.row)
                for item in records
            )


class FilterNode(Node):
    """Keeps the records for which the predicate holds; the rest are excluded by the rule's name.

    The predicate is the flow's expression, or a component: a function of a record that tells whether to keep it.
    """

    def __init__(self, stage: Stage, source: Edge, outputs: Outputs, keeps: Callable[[Record], Any]) -> None:
        super().__init__(stage, source, outputs)
        self._keeps = keeps

    async def handle(self, chunk: list[Record]) -> None:
        keeps, rule = self._keeps, self.stage.rule
        out = []
        for record in chunk:
            try:
                kept = keeps(record)
                if kept is not True and kept is not False:
                    kept = await self._answer(kept)
            except Exception as signal:  # noqa: BLE001  becomes this record's outcome
                self.settle(record, signal)
                continue
            if kept:
                out.append(record)
            else:
                record.receipt.exclude(record.row, rule, LeftOut(self.stage.name))
        await self.emit(out)

    async def _answer(self, kept: Any) -> bool:
        """What an async component answers. Only True and False are answers."""
        answer = await kept if inspect.isawaitable(kept) else kept
        if answer is not True and answer is not False:
            raise ContractError(f"a filter returns True or False, not {type(answer).__name__}")
        return bool(answer)


def predicate(expression: Expression) -> Callable[[Record], bool]:
    """The expression over a record, whose body it knows by the record's kind."""
    holds = expression.holds
    return lambda record: holds({record.kind: record.body})


class BranchNode(Node):
    """Sends each record to the first case that holds, to `else`, or excludes it."""

    async def handle(self, chunk: list[Record]) -> None:
        out: dict[str, list[Record]] = {port: [] for port in self.stage.ports}
        for record in chunk:
            try:
                port = self._port(record)
            except Exception as signal:  # noqa: BLE001  becomes this record's outcome
                self.settle(record, signal)
                continue
            if port is None:
                record.receipt.exclude(record.row, f"{self.stage.name}: no case holds")
            else:
                out[port].append(record)
        for port, records in out.items():
            await self.emit(records, port)

    def _port(self, record: Record) -> str | None:
        scope = {record.kind: record.body}
        return next((name for name, expression in self.stage.cases if expression.holds(scope)), self.stage.otherwise)


class EncodeNode(Node):
    """Renders each record into documents; each document goes on as a record of its own."""

    def __init__(
        self, stage: Stage, source: Edge, outputs: Outputs, render: Callable[[Record], list[Document]]
    ) -> None:
        super().__init__(stage, source, outputs)
        self._render = render

    async def handle(self, chunk: list[Record]) -> None:
        out: list[Record] = []
        for record in chunk:
            try:
                documents = _documents(self._render(record))
            except Exception as signal:  # noqa: BLE001  becomes this record's outcome
                self.settle(record, signal)
                continue
            if not documents:
                record.receipt.exclude(record.row, f"{self.stage.name}: nothing to send")
                continue
            record.receipt.split(record.row, len(documents) - 1)
            out.extend(record.replace(body=Encoded(self.stage.name, document)) for document in documents)
        await self.emit(out)


def _documents(rendered: object) -> list[Document]:
    documents = [] if rendered is None else rendered
    if not isinstance(documents, list | tuple) or not all(isinstance(item, Document) for item in documents):
        raise ContractError(f"an encoder renders a list of documents, not {type(rendered).__name__}")
    return list(documents)


class Encoded(msgspec.Struct, frozen=True):
    """A document on its way from its encoder to a sink."""

    encoder: str
    document: Document

    @property
    def partner(self) -> str:
        return self.document.partner


class AdmitNode(Node):
    """The entrance of a sink: hands each document to the page's receipt, which stores it when the page is settled.

    A record that no encoder made a document of becomes one: its body as canonical JSON, delivered as it is (an upsert).
    """

    def __init__(self, stage: Stage, source: Edge) -> None:
        super().__init__(stage, source, {})

    async def handle(self, chunk: list[Record]) -> None:
        name = self.stage.name
        for record in chunk:
            body = record.body
            if type(body) is Encoded:
                record.receipt.deliver(record.row, name, body.encoder, body.document)
                continue
            try:
                document = state_document(record)
            except Exception as signal:  # noqa: BLE001  becomes this record's outcome
                self.settle(record, signal)
                continue
            record.receipt.deliver(record.row, name, "", document)


class AnswerNode(Node):
    """The entrance of a sink for answers: hands each to the page's receipt, which keeps and matches it when the page is settled."""

    def __init__(self, stage: Stage, source: Edge, read: Callable[[Record], Answer]) -> None:
        super().__init__(stage, source, {})
        self._read = read

    async def handle(self, chunk: list[Record]) -> None:
        for record in chunk:
            try:
                answer: object = self._read(record)
                if not isinstance(answer, Answer):
                    raise ContractError(f"answer returns an Answer, not {type(answer).__name__}")
            except Exception as signal:  # noqa: BLE001  becomes this record's outcome
                self.settle(record, signal)
                continue
            record.receipt.answer(record.row, msgspec.structs.replace(answer, sink=self.stage.component))


def state_document(record: Record) -> Document:
    """The desired state of one object on the far side, as its canonical JSON."""
    payload = msgspec.json.encode(record.body, order="deterministic", enc_hook=str)
    digest = hashlib.sha256(payload).hexdigest()
    partner = str(getattr(record.body, "code", "") or record.key)
    return Document(
        set=record.kind,
        partner=partner,
        body=payload,
        fields=("*",),
        fingerprint=lambda fields: digest,
        plan="state",
        label=record.label,
    )
