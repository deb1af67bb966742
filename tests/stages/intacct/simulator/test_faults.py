"""Each fault as a client sees it, what was done behind it, and how the plan chooses the request."""

from __future__ import annotations

import aiohttp
import pytest
from lxml import etree

from stages.intacct.simulator import Call, Fault, FaultPlan

QUERY = (
    '<function controlid="q"><query><object>APBILL</object><select><field>RECORDNO</field></select></query></function>'
)

# kind of fault with its settings; HTTP status; media type; whether the work was done.
ANSWERS = {
    "throttled": (Fault(kind="throttled"), 429, "text/xml", False),
    "throttled in 200": (Fault(kind="throttled in 200"), 200, "text/xml", False),
    "invalid": (Fault(kind="invalid"), 400, "text/xml", False),
    "500": (Fault(kind="server error", status=500), 500, "text/html", False),
    "502": (Fault(kind="server error", status=502), 502, "text/html", False),
    "503": (Fault(kind="server error"), 503, "text/html", False),
    "524": (Fault(kind="server error", status=524), 524, "text/html", False),
    "late 524": (Fault(kind="late server error", status=524), 524, "text/html", True),
    "empty": (Fault(kind="empty"), 200, "text/xml", True),
    "html": (Fault(kind="html"), 200, "text/html", False),
    "truncated": (Fault(kind="truncated"), 200, "text/xml", True),
    "two roots": (Fault(kind="two roots"), 200, "text/xml", True),
    "bomb": (Fault(kind="bomb"), 200, "text/xml", True),
    "external entity": (Fault(kind="external entity"), 200, "text/xml", True),
    "not utf-8": (Fault(kind="not utf-8"), 200, "text/xml", True),
    "padded": (Fault(kind="padded", size=100), 200, "text/xml", True),
    "deep": (Fault(kind="deep", size=100), 200, "text/xml", True),
    "huge attribute": (Fault(kind="huge attribute", size=100), 200, "text/xml", True),
    "foreign": (Fault(kind="foreign"), 200, "text/xml", True),
    "gzip bomb": (Fault(kind="gzip bomb", size=100), 200, "text/xml", True),
    "slow": (Fault(kind="slow"), 200, "text/xml", True),
    "maintenance": (Fault(kind="maintenance"), 200, "text/xml", False),
    "overload": (Fault(kind="overload"), 200, "text/xml", False),
    "rate text in 200": (Fault(kind="rate text in 200"), 200, "text/xml", False),
}


async def _struck(wire, fault):
    await wire.sign_in()
    wire.simulator.faults.add(fault)
    return await wire.post(wire.envelope(QUERY), url=wire.endpoint)


def _done(wire):
    return any(effect["kind"] == "query" for effect in wire.simulator.effects())


@pytest.mark.parametrize(("fault", "status", "media", "done"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_a_fault_answers_so_and_the_next_request_is_well(wired, fault, status, media, done):
    async with wired() as wire:
        struck, headers, _ = await _struck(wire, fault)
        was_done = _done(wire)
        after = await wire.ask(QUERY)

    assert (struck, headers["Content-Type"].partition(";")[0], was_done) == (status, media, done)
    assert after.findtext("operation/result/status") == "success"


@pytest.mark.parametrize(
    ("kind", "errorno"), [("throttled", "GW-0010"), ("throttled in 200", "GW-0010"), ("invalid", "GW-0011")]
)
async def test_the_gateway_refuses_in_control_with_two_elements(wired, kind, errorno):
    async with wired() as wire:
        _, _, body = await _struck(wire, Fault(kind=kind))

    response = etree.fromstring(body)
    assert [child.tag for child in response.find("control")] == ["status"]
    assert [child.tag for child in response.find("errormessage/error")] == ["errorno", "description"]
    assert response.findtext("errormessage/error/errorno") == errorno
    assert response.find("operation") is None


@pytest.mark.parametrize(("asked", "header"), [(7, "7"), (None, None)])
async def test_a_pause_is_asked_for_when_set(wired, asked, header):
    async with wired() as wire:
        _, headers, _ = await _struck(wire, Fault(kind="throttled", retry_after=asked))

    assert headers.get("Retry-After") == header


@pytest.mark.parametrize(
    ("kind", "element", "text"),
    [
        ("maintenance", "description2", "The Service is Temporarily Off-line"),
        ("overload", "correction", "Please Try Again Later"),
        ("rate text in 200", "description2", "API rate limit exceeded"),
    ],
)
async def test_some_faults_fail_each_function_in_a_200(wired, kind, element, text):
    async with wired() as wire:
        _, _, body = await _struck(wire, Fault(kind=kind))

    response = etree.fromstring(body)
    assert response.findtext("operation/authentication/status") == "success"
    assert response.findtext("operation/result/status") == "failure"
    assert text in response.findtext(f"operation/result/errormessage/error/{element}")


@pytest.mark.parametrize("kind", ["truncated", "two roots"])
async def test_such_an_answer_is_not_well_formed(wired, kind):
    async with wired() as wire:
        _, _, body = await _struck(wire, Fault(kind=kind))

    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(body)


async def test_a_bomb_is_well_formed_and_refused_by_its_size_alone(wired):
    async with wired() as wire:
        _, _, body = await _struck(wire, Fault(kind="bomb"))

    small = etree.fromstring(body.replace(b"<note>&e8;", b"<note>&e1;"), etree.XMLParser(resolve_entities=True))
    assert small.findtext("operation/result/status") == "success"
    assert small.findtext("note") == "o" * 100
    with pytest.raises(etree.XMLSyntaxError, match="amplification"):
        etree.fromstring(body, etree.XMLParser(resolve_entities=True))


async def test_an_external_entity_names_a_local_file(wired):
    async with wired() as wire:
        _, _, body = await _struck(wire, Fault(kind="external entity"))

    assert b'SYSTEM "file:///' in body
    assert (
        etree.fromstring(body, etree.XMLParser(resolve_entities=False)).findtext("operation/result/status") == "success"
    )


@pytest.mark.parametrize(("kind", "done"), [("reset before", False), ("reset after", True)])
async def test_a_connection_is_reset_before_or_after_the_work(wired, kind, done):
    async with wired() as wire:
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await _struck(wire, Fault(kind=kind))
        was_done = _done(wire)

    assert was_done is done


async def test_a_connection_is_cut_in_the_middle_of_an_answer(wired):
    async with wired() as wire:
        with pytest.raises(aiohttp.ClientPayloadError):
            await _struck(wire, Fault(kind="cut"))
        was_done = _done(wire)

    assert was_done


async def test_a_slow_answer_takes_its_time_by_the_clock_and_is_whole(wired, clock):
    async with wired() as wire:
        before = clock.monotonic()
        _, _, body = await _struck(wire, Fault(kind="slow", seconds=90))
        took = clock.monotonic() - before

    assert took == 90
    assert etree.fromstring(body).findtext("operation/result/status") == "success"


async def test_faults_are_logged_and_counted(wired):
    async with wired() as wire:
        await _struck(wire, Fault(kind="empty"))
        faults = [effect for effect in wire.simulator.effects() if effect["kind"] == "fault"]
        counted = wire.simulator.counts.faults

    assert [(fault["fault"], fault["request"]) for fault in faults] == [("empty", 2)]
    assert counted == 1


async def test_a_body_that_is_no_xml_can_be_struck_by_number(wired):
    async with wired(faults=[Fault(kind="server error", status=500)]) as wire:
        status, _, _ = await wire.post("nonsense")

    assert status == 500


async def test_each_answer_can_be_delayed(wired, clock):
    async with wired(latency_seconds=2.5) as wire:
        before = clock.monotonic()
        await wire.sign_in()

    assert clock.monotonic() - before == 2.5


# The plan


def _call(number, *functions, session=True):
    return Call(number=number, functions=tuple(functions), session=session)


BILLS, LINES = ("query", "APBILL"), ("query", "APBILLITEM")

# A fault, a series of requests, and the numbers of those it strikes.
CHOICES = {
    "the first": (Fault(kind="empty"), [BILLS, BILLS], [1]),
    "the third": (Fault(kind="empty", nth=3), [BILLS] * 5, [3]),
    "two from the second": (Fault(kind="empty", nth=2, times=2), [BILLS] * 5, [2, 3]),
    "for ever": (Fault(kind="empty", nth=2, times=None), [BILLS] * 4, [2, 3, 4]),
    "an object": (Fault(kind="empty", object="APBILLITEM"), [BILLS, LINES, LINES], [2]),
    "the second of an object": (Fault(kind="empty", object="APBILLITEM", nth=2), [LINES, BILLS, LINES, LINES], [3]),
    "a function": (Fault(kind="empty", function="read"), [BILLS, ("read", "APBILL")], [2]),
    "a function of an object": (Fault(kind="empty", function="query", object="X"), [BILLS, ("read", "X"), ("query", "X")], [3]),
    "a condition": (Fault(kind="empty", when=lambda call: call.number > 2), [BILLS] * 4, [3]),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "functions", "struck"), CHOICES.values(), ids=CHOICES.keys())
def test_a_fault_chooses_its_requests(fault, functions, struck):
    plan = FaultPlan([fault])

    hit = [number for number, function in enumerate(functions, start=1) if plan.take(_call(number, function))]

    assert hit == struck


def test_faults_due_at_once_strike_one_after_the_other():
    plan = FaultPlan([Fault(kind="throttled"), Fault(kind="empty")])

    taken = [plan.take(_call(number, BILLS)) for number in (1, 2, 3)]

    assert [fault.kind if fault else None for fault in taken] == ["throttled", "empty", None]


def test_a_spent_plan_is_empty():
    plan = FaultPlan([Fault(kind="throttled")])
    plan.add(Fault(kind="empty", nth=2))

    plan.take(_call(1, BILLS))
    half = [fault.kind for fault in plan.pending]
    plan.clear()

    assert (half, plan.pending) == (["empty"], ())
