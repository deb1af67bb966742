"""A flow that ends in a sink for answers: nothing leaves, each record is accounted for, and the far side is never asked."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.engine.runner import RunRequest, run_flow
from pipeline.engine.services import Stopping
from pipeline.errors import DataError
from pipeline.flow.model import Flow, Input, Stage
from pipeline.record import Answer, Record, Window
from pipeline.registry import Registry
from pipeline.stage import StageSpec
from pipeline.testing import ListSource


class Reads:
    """Answers whatever the body says; the body may be an exception, or no answer at all."""

    def answer(self, record: Record) -> Any:
        if isinstance(record.body, Exception):
            raise record.body
        return (
            Answer(kind="997", scope="S", sender="P", match=lambda sent: []) if record.body == "answer" else record.body
        )


def flow_of(rig: Any, *bodies: Any, spread: int = 1) -> Flow:
    records = [
        Record(key=str(n), kind="message", object="message", body=body, raw=b"x%d" % n) for n, body in enumerate(bodies)
    ]
    spread_out = rig.stage("spread", "map", lambda record: [record.replace(receipt=None)] * spread)
    flow = rig.chain(ListSource(records), spread_out)
    spec = StageSpec(name="test.kept", verb="sink", build=lambda *_: Reads(), exactly_once=True)
    kept = Stage(name="kept", verb="sink", component="test.kept", spec=spec, inputs=(Input("spread"),))
    return rig.flow(*flow.stages, kept, name="acks")


async def run(rig: Any, ledger: Any, flow: Flow, *keys: str) -> Any:
    """With keys, these records are read again, whatever was read before."""
    request = RunRequest(window=Window(keys=keys))
    return await run_flow(flow, Registry([]), ledger, rig.services, request, Stopping())


async def test_a_message_with_several_answers_counts_once(rig: Any) -> None:
    async with rig.ledger() as ledger:
        report = await run(rig, ledger, flow_of(rig, "answer", "answer", spread=3))
        assert (report.totals.read, report.totals.counts["delivered"], report.balanced) == (2, 2, True)
        assert await ledger.reports.acknowledgement_counts("") == {"unmatched": 6}


async def test_the_same_messages_in_another_run_are_unchanged(rig: Any) -> None:
    async with rig.ledger() as ledger:
        await run(rig, ledger, flow_of(rig, "answer"))
        report = await run(rig, ledger, flow_of(rig, "answer"), "0")
        assert (report.totals.counts["unchanged"], report.balanced) == (1, True)
        assert await ledger.reports.acknowledgement_counts("") == {"unmatched": 1}


@pytest.mark.parametrize("body", [DataError("no answer", code="TST-0001"), ValueError("a fault"), 7], ids=repr)
async def test_what_is_no_answer_is_dead_and_the_others_go_on(inline_rig: Any, body: Any) -> None:
    async with inline_rig.ledger() as ledger:
        kept = flow_of(inline_rig).stages[-1]
        records = [
            Record(key=str(n), kind="message", object="message", body=b)
            for n, b in enumerate(["answer", Wrapped(body)])
        ]
        source = inline_rig.stage("source", "source", ListSource(records))
        unwrap = inline_rig.stage(
            "spread", "map", lambda r: r.replace(body=r.body.body) if isinstance(r.body, Wrapped) else r, "source"
        )
        flow = inline_rig.flow(source, unwrap, kept, name="acks")
        report = await run(inline_rig, ledger, flow)
        assert (report.totals.counts["dead"], report.totals.counts["delivered"], report.balanced) == (1, 1, True)


class Wrapped:
    """Keeps an exception from being settled at the source."""

    def __init__(self, body: Any) -> None:
        self.body = body
