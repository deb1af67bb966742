"""Sealing: which waiting documents share a delivery, and freezing their bytes with their control numbers in one transaction.

A document that cannot be packed is dead by itself and consumes no number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pipeline.clock import Clock
from pipeline.engine.faults import ContractError, explained
from pipeline.errors import ConnectorError
from pipeline.record import Destination, Stored
from pipeline.stage import Encode, Names, Titles
from pipeline.store.deliveries import Deliveries, Seal
from pipeline.store.rows import Problem, Waiting

MOST_DOCUMENTS_PER_SEAL = 10_000
DEFAULT_NAME_PREFIX = "mlc"


class Sealer:
    """Seals the documents that wait for one sink stage in one run. ``buried`` counts those that could not be packed."""

    def __init__(
        self,
        flow: str,
        run: int,
        stage: str,
        sink: Any,
        encoders: Mapping[str, Encode],
        deliveries: Deliveries,
        clock: Clock,
    ) -> None:
        self.buried = 0
        self._flow, self._run, self._stage = flow, run, stage
        self._encoders, self._deliveries, self._clock = encoders, deliveries, clock
        self._prefix = sink.name_prefix if isinstance(sink, Names) else DEFAULT_NAME_PREFIX

    async def seal_next(self, lane: str, *, finishing: bool) -> bool:
        """Seals the lane's next batch. False when there is nothing, or not enough yet to fill one."""
        first = await self._deliveries.waiting(self._flow, self._stage, lane, 1)
        if not first:
            return False
        limit = min(first[0].limit, MOST_DOCUMENTS_PER_SEAL)
        queue = await self._deliveries.waiting(self._flow, self._stage, lane, limit + 1) if limit > 1 else first
        batch = _batch(queue, limit)
        if len(batch) < limit and len(batch) == len(queue) and not finishing:
            return False
        await self._seal(lane, batch)
        return True

    async def _seal(self, lane: str, batch: list[Waiting]) -> None:
        try:
            await self._deliveries.seal(self._sealing(lane, batch))
        except _Unpackable as error:
            await self._bury_unpackable(lane, batch, error.why)

    def _sealing(self, lane: str, batch: list[Waiting]) -> Seal:
        destination = Destination(lane, batch[0].address)
        documents = [waiting.stored for waiting in batch]
        if not batch[0].encoder:
            body = documents[0].body
            return Seal(
                self._flow,
                self._stage,
                self._run,
                destination,
                batch,
                (),
                lambda numbers, now: body,
                _state_name(batch[0]),
            )
        encoder = self._encoders[batch[0].encoder]
        with _packing(batch):
            counters = list(encoder.counters(documents))
            title = encoder.title(documents) if isinstance(encoder, Titles) else ""
        return Seal(
            self._flow, self._stage, self._run, destination, batch, counters, _pack(encoder, batch, documents),
            (lambda numbers, digest, delivery: title) if title else _message_name(self._prefix, lane),
        )  # fmt: skip

    async def _bury_unpackable(self, lane: str, batch: list[Waiting], error: ConnectorError) -> None:
        """Packing failed: the documents that cannot be packed alone are dead; with none such, the first one is."""
        now = self._clock.now()
        bad: list[tuple[Waiting, ConnectorError]] = []
        for waiting in batch if len(batch) > 1 else []:
            try:
                seal = self._sealing(lane, [waiting])
                seal.pack({counter.name: 1 for counter in seal.counters}, now)
            except _Unpackable as own:
                bad.append((waiting, own.why))
        for waiting, why in bad or [(batch[0], error)]:
            self.buried += 1
            await self._deliveries.document_dies(waiting, Problem.of(why), self._flow, self._stage, self._run)


class _Unpackable(Exception):
    """An encoder could not pack; ``why`` is for people."""

    def __init__(self, why: ConnectorError) -> None:
        super().__init__(why.what)
        self.why = why


@contextmanager
def _packing(batch: list[Waiting]) -> Iterator[None]:
    """Tells an encoder's failure, whatever it is, from one of the ledger."""
    try:
        yield
    except Exception as error:  # becomes the outcome of the documents that cannot be packed
        first = batch[0]
        raise _Unpackable(explained(error, first.encoder, f"{first.stored.set} {first.label or first.key}")) from error


def _pack(
    encoder: Encode, batch: list[Waiting], documents: Sequence[Stored]
) -> Callable[[Mapping[str, int], datetime], bytes]:
    def pack(numbers: Mapping[str, int], now: datetime) -> bytes:
        with _packing(batch):
            packed: object = encoder.pack(documents, numbers, now)
            if not isinstance(packed, bytes):
                raise ContractError(f"pack returns bytes, not {type(packed).__name__}")
            return packed

    return pack


def _batch(queue: list[Waiting], limit: int) -> list[Waiting]:
    """The longest start of the queue that may share a delivery."""
    batch: list[Waiting] = []
    for waiting in queue[:limit]:
        first = batch[0] if batch else waiting
        if (waiting.group, waiting.encoder, waiting.address) != (first.group, first.encoder, first.address):
            break
        batch.append(waiting)
    return batch


def _message_name(prefix: str, lane: str) -> Callable[[Mapping[str, int], str, int], str]:
    """prefix, lane, first control number, digest: unique, deterministic, and sortable within a lane."""
    safe = re.sub(r"[^A-Za-z0-9-]", "-", lane)[:40]

    def name(numbers: Mapping[str, int], digest: str, delivery: int) -> str:
        number = next(iter(numbers.values()), delivery)
        return f"{prefix}_{safe}_{number:09d}_{digest[:12]}.edi"

    return name


def _state_name(waiting: Waiting) -> Callable[[Mapping[str, int], str, int], str]:
    return lambda numbers, digest, delivery: (
        f"{waiting.stored.set}_{waiting.stored.partner}_{waiting.stored.version}_{digest[:12]}"
    )
