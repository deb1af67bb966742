"""Each thing that can be wrong with an Intacct connection is told as itself, with who mends it, and without locking the user."""

from __future__ import annotations

import random
import shutil
import ssl
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline import Context, Diagnosis, Duration, Secret
from pipeline.clock import RandomIds
from pipeline.testing.clock import ManualClock
from stages.ap.seed import World, build_world
from stages.intacct import ADAPTER, doctor
from stages.intacct.company import open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.doctor import diagnose_connection
from stages.intacct.simulator import Behaviour, Fault, IntacctSimulator


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, bills=20)


@pytest.fixture
def clock(world: World) -> ManualClock:
    return ManualClock(world.now)


@pytest.fixture
def fresh(clock: ManualClock) -> Callable[..., Context]:
    """A context whose clock may be ahead of the gateway's."""

    async def offload(function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    def make(ahead: timedelta = timedelta(), **environment: str) -> Context:
        own = ManualClock(clock.now() + ahead)
        return Context(
            stage="books", folder=Path(), clock=own, ids=RandomIds(), rng=random.Random(1), offload=offload, environment=environment
        )  # fmt: skip

    return make


def settings(world: World, url: str, **changed: Any) -> IntacctConfig:
    usual: dict[str, Any] = {
        "url": url, "sender_id": world.sender, "sender_password": Secret(world.sender_password), "company_id": world.company,
        "user_id": world.user, "user_password": Secret(world.user_password), "timezone": "UTC",
    }  # fmt: skip
    return IntacctConfig(**(usual | changed))


Lines = dict[str, Diagnosis]


async def told(config: IntacctConfig, context: Context) -> tuple[bool, Lines]:
    lines: list[Diagnosis] = []
    works = await diagnose_connection(config, context, lines.append)
    return works, {line.name: line for line in lines}


def problem(lines: Lines, name: str) -> Any:
    found = lines[name].problem
    assert found is not None
    assert all((found.what, found.where, found.why, found.mend))
    return found


Diagnosed = Callable[..., Any]


@pytest.fixture
def diagnosed(world: World, clock: ManualClock, fresh: Callable[..., Context]) -> Diagnosed:
    """The lines about a gateway that behaves so, over settings changed so, and the gateway."""

    async def run(
        *faults: Fault, behaviour: Behaviour | None = None, ahead: timedelta = timedelta(), **changed: Any
    ) -> tuple[bool, Lines, IntacctSimulator]:
        async with IntacctSimulator(world, clock, faults=faults, behaviour=behaviour) as simulator:
            works, lines = await told(settings(world, simulator.url, **changed), fresh(ahead))
            return works, lines, simulator

    return run


async def test_a_connection_that_is_right_has_only_lines_that_are_ok(diagnosed: Diagnosed) -> None:
    works, lines, simulator = await diagnosed()
    assert works
    assert {line.state for line in lines.values()} == {"ok"}
    assert list(lines) == ["reach", "sender", "sign-in", "sender authorisation", "clock", "time zone"]
    assert (simulator.counts.logins, simulator.counts.login_failures) == (1, 0)


async def test_an_entity_that_may_be_entered_is_named(diagnosed: Diagnosed, world: World) -> None:
    works, lines, _ = await diagnosed(location_id=world.entities[0].id)
    assert works
    assert f"entity {world.entities[0].id}" in lines["sign-in"].found


# --- the meanings of XL03000006 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"sender_id": "someone"}, {"sender_password": Secret("wr0ng")}])
async def test_a_wrong_sender_is_told_before_the_user_is_asked_for(diagnosed: Diagnosed, wrong: dict[str, Any]) -> None:
    works, lines, simulator = await diagnosed(**wrong)
    assert not works
    assert list(lines) == ["reach", "sender"]
    assert problem(lines, "sender").code == "MLC-INTACCT-0101"
    assert simulator.counts.login_failures == 0


async def test_a_sender_that_the_company_has_not_authorised_is_told_as_that(diagnosed: Diagnosed) -> None:
    behaviour = Behaviour(unauthorised={"other-ws": "pw"})
    works, lines, _ = await diagnosed(behaviour=behaviour, sender_id="other-ws", sender_password=Secret("pw"))
    assert not works
    assert lines["sender"].state == "ok"
    assert problem(lines, "sender authorisation").code == "MLC-INTACCT-0105"
    assert "Web Services authorizations" in problem(lines, "sender authorisation").mend


@pytest.mark.parametrize(
    "wrong", [{"user_password": Secret("wr0ng")}, {"user_id": "nobody"}, {"company_id": "ELSEWHERE"}]
)  # fmt: skip
async def test_a_wrong_user_password_or_company_is_told_as_one_of_the_three_after_one_attempt(
    diagnosed: Diagnosed, wrong: dict[str, Any]
) -> None:
    works, lines, simulator = await diagnosed(**wrong)
    assert not works
    found = problem(lines, "sign-in")
    assert (found.code, found.owner) == ("MLC-INTACCT-0106", "IT")
    assert "the sender is right" in found.why
    assert "wr0ng" not in str(found)
    assert simulator.counts.login_failures == 1


async def test_a_wrong_entity_is_told_from_a_wrong_password_and_the_right_ones_are_named(
    diagnosed: Diagnosed, world: World
) -> None:
    works, lines, simulator = await diagnosed(location_id="NOWHERE")
    assert not works
    found = problem(lines, "entity")
    assert (found.code, found.what.split()[2]) == ("MLC-INTACCT-0117", "NOWHERE")
    assert world.entities[0].id in found.mend
    assert (simulator.counts.login_failures, simulator.counts.logins) == (1, 1)


async def test_a_wrong_password_with_an_entity_is_not_blamed_on_the_entity_and_takes_two_attempts_at_most(
    diagnosed: Diagnosed, world: World
) -> None:
    works, lines, simulator = await diagnosed(
        behaviour=Behaviour(lock_after=3), location_id=world.entities[0].id, user_password=Secret("wr0ng")
    )
    assert not works
    assert "it is not the entity" in problem(lines, "sign-in").why
    assert simulator.counts.login_failures == 2


async def test_a_locked_user_is_told_as_that(world: World, clock: ManualClock, fresh: Callable[..., Context]) -> None:
    async with IntacctSimulator(world, clock, behaviour=Behaviour(lock_after=1)) as simulator:
        await told(settings(world, simulator.url, user_password=Secret("wr0ng")), fresh())
        _, lines = await told(settings(world, simulator.url), fresh())
    assert problem(lines, "user").code == "MLC-INTACCT-0109"


# --- the way there -----------------------------------------------------------------------------------------------------


async def test_a_gateway_that_is_not_there_is_told_with_the_proxy_that_is_not_used(
    world: World, fresh: Callable[..., Context], unused_tcp_port_factory: Callable[[], int]
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port_factory()}/ia/xml/xmlgw.phtml"
    works, lines = await told(settings(world, url), fresh(HTTPS_PROXY="http://user:s3cret@proxy:8080"))
    assert not works
    assert list(lines) == ["reach"]
    found = problem(lines, "reach")
    assert "HTTPS_PROXY is set here" in found.why
    assert "s3cret" not in str(found)


async def test_a_host_name_without_an_address_is_told_as_that(world: World, fresh: Callable[..., Context]) -> None:
    _, lines = await told(settings(world, "https://gateway.invalid/ia/xml/xmlgw.phtml"), fresh())
    assert problem(lines, "reach").what == "Intacct cannot be found"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that no authority of this machine has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is missing, so no certificate can be made")
    folder = tmp_path_factory.mktemp("stranger")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, "-days", "2", "-subj", "/CN=127.0.0.1"], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_that_is_not_trusted_is_told_as_that_before_anything_is_sent(
    world: World, fresh: Callable[..., Context], stranger: ssl.SSLContext
) -> None:
    server = TestServer(web.Application(), host="127.0.0.1")
    await server.start_server(ssl=stranger)
    try:
        works, lines = await told(settings(world, f"https://127.0.0.1:{server.port}/ia/xml/xmlgw.phtml"), fresh())
    finally:
        await server.close()
    assert not works
    assert problem(lines, "reach").code == "MLC-INTACCT-0115"
    assert "SSL_CERT_FILE" in problem(lines, "reach").mend


async def test_a_web_page_in_place_of_the_gateway_is_told_as_that(world: World, fresh: Callable[..., Context]) -> None:
    async def portal(request: web.Request) -> web.Response:
        return web.Response(text="<html><title>Guest Wi-Fi</title></html>", content_type="text/html")

    application = web.Application()
    application.router.add_post("/{path:.*}", portal)
    server = TestServer(application)
    await server.start_server()
    try:
        works, lines = await told(settings(world, str(server.make_url("/ia/xml/xmlgw.phtml"))), fresh())
    finally:
        await server.close()
    assert not works
    assert "Guest Wi-Fi" in problem(lines, "reach").why


async def test_a_wrong_path_is_told(diagnosed: Diagnosed, world: World, clock: ManualClock, fresh: Any) -> None:
    async with IntacctSimulator(world, clock) as simulator:
        works, lines = await told(settings(world, simulator.url.replace("xmlgw", "gone")), fresh())
    assert not works
    assert "url" in problem(lines, "reach").mend


@pytest.mark.parametrize(
    ("kind", "line"), [("maintenance", "sign-in"), ("throttled", "reach"), ("server error", "reach")]
)
async def test_a_passing_fault_is_told_as_passing(diagnosed: Diagnosed, kind: Any, line: str) -> None:
    works, lines, _ = await diagnosed(Fault(kind=kind, times=None))
    assert not works
    assert "tried again" in problem(lines, line).mend or "nothing to do now" in problem(lines, line).mend


async def test_a_guard_who_lets_nobody_in_without_a_user_does_not_keep_the_rest_from_being_checked(
    world: World, clock: ManualClock, fresh: Callable[..., Context]
) -> None:
    async with IntacctSimulator(world, clock) as simulator:
        serve = simulator._serve

        async def guarded(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            if b"<getAPISession/>" in body and b"<login>" not in body:
                return web.Response(status=403, text="no")
            return await serve(request)

        simulator._serve = guarded  # type: ignore[method-assign]
        works, lines = await told(settings(world, simulator.url), fresh())
        assert simulator.counts.logins == 1
    assert works
    assert {name: line.state for name, line in lines.items()} == {
        "reach": "ok", "sender": "skipped", "sign-in": "ok", "sender authorisation": "ok", "clock": "ok", "time zone": "ok",
    }  # fmt: skip


async def test_a_gateway_that_never_answers_is_waited_for_a_minute_at_most(world: World) -> None:
    config = settings(world, "https://gateway.test/x")
    assert (doctor._impatient(config).total_timeout, doctor._impatient(config).read_timeout) == (60, 60)
    short = msgspec.structs.replace(config, total_timeout=Duration(5))
    assert doctor._impatient(short).total_timeout == 5


async def test_a_company_that_the_gateway_does_not_know_is_told_as_that(diagnosed: Diagnosed) -> None:
    works, lines, _ = await diagnosed(Fault(kind="invalid", times=None))
    assert not works
    assert problem(lines, "company").code == "MLC-INTACCT-0102"


async def test_an_endpoint_that_is_not_trusted_is_told_as_that(diagnosed: Diagnosed) -> None:
    works, lines, _ = await diagnosed(behaviour=Behaviour(endpoint="https://intacct.example.org/xmlgw"))
    assert not works
    assert problem(lines, "endpoint").code == "MLC-INTACCT-0114"


async def test_a_blank_at_the_end_of_a_setting_is_a_warning_that_shows_no_secret(
    diagnosed: Diagnosed, world: World
) -> None:
    _, lines, _ = await diagnosed(user_password=Secret(f"{world.user_password} "))
    assert lines["settings"].state == "warning"
    assert "user_password" in problem(lines, "settings").why
    assert world.user_password not in str(problem(lines, "settings"))


async def test_what_stands_behind_the_address_is_not_shown(
    world: World, clock: ManualClock, fresh: Callable[..., Context]
) -> None:
    async with IntacctSimulator(world, clock) as simulator:
        works, lines = await told(settings(world, f"{simulator.url}?key=s3cret"), fresh())
    assert works
    assert lines["reach"].found.startswith(simulator.url)
    assert "s3cret" not in str(lines)


# --- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "state"),
    [
        (timedelta(minutes=1), "ok"),
        (timedelta(minutes=5), "warning"),
        (timedelta(minutes=-5), "warning"),
        (timedelta(hours=2), "failed"),
    ],
)
async def test_a_clock_that_differs_is_told_in_the_right_direction(
    diagnosed: Diagnosed, ahead: timedelta, state: str
) -> None:
    works, lines, _ = await diagnosed(ahead=ahead)
    assert works
    assert lines["clock"].state == state
    if state != "ok":
        assert ("ahead of" in problem(lines, "clock").what) == (ahead > timedelta())


@pytest.mark.parametrize(
    ("hours", "zone", "state"),
    [
        (0, "UTC", "ok"),
        (3, "UTC", "failed"),
        (-5, "Etc/GMT+5", "ok"),
        (0, "America/New_York", "failed"),
        (9, "Asia/Tokyo", "ok"),
        (-5, "UTC", "failed"),
    ],
)
async def test_a_zone_that_the_records_contradict_fails(
    world: World, clock: ManualClock, fresh: Callable[..., Context], hours: float, zone: str, state: str
) -> None:
    async with IntacctSimulator(world, clock, behaviour=Behaviour(zone_hours=hours)) as simulator:
        vendor = world.vendors[0]
        simulator.put_vendor(msgspec.structs.replace(vendor, modified=clock.now()))
        works, lines = await told(settings(world, simulator.url, timezone=zone), fresh())
    assert works
    assert lines["time zone"].state == state
    if state == "failed":
        assert "INTACCT_TIMEZONE" in problem(lines, "time zone").mend


async def test_a_zone_that_is_not_set_is_measured_from_records_that_nobody_edited(
    world: World, clock: ManualClock, fresh: Callable[..., Context]
) -> None:
    async with IntacctSimulator(world, clock, behaviour=Behaviour(zone_hours=-5)) as simulator:
        for bill in world.bills[:4]:
            simulator.add_bill(msgspec.structs.replace(bill, record=bill.record + 1000, modified=bill.created))
        _, lines = await told(settings(world, simulator.url, timezone=""), fresh())
    assert (lines["time zone"].state, lines["time zone"].found.split(",")[0]) == ("ok", "UTC-05:00")


async def test_a_zone_that_is_neither_set_nor_measured_is_a_warning(diagnosed: Diagnosed) -> None:
    works, lines, _ = await diagnosed(behaviour=Behaviour(denied=frozenset({"VENDOR", "APBILL"})), timezone="")
    assert works
    assert lines["time zone"].state == "warning"
    assert problem(lines, "time zone").code == "MLC-INTACCT-0504"


async def test_a_user_who_may_see_neither_vendors_nor_bills_leaves_the_zone_unchecked(diagnosed: Diagnosed) -> None:
    works, lines, _ = await diagnosed(behaviour=Behaviour(denied=frozenset({"VENDOR", "APBILL"})))
    assert works
    assert lines["time zone"].state == "skipped"


# --- rights and fields -------------------------------------------------------------------------------------------------

SPECS = {spec.name: spec for spec in ADAPTER.stages}


@pytest.fixture
def looked(world: World, clock: ManualClock, fresh: Callable[..., Context]) -> Callable[..., Any]:
    """The lines of a stage's own checks."""

    async def run(stage: str, behaviour: Behaviour | None = None, times: int = 1, **given: Any) -> tuple[Lines, Any]:
        spec, context, lines = SPECS[stage], fresh(), list[Diagnosis]()
        assert spec.diagnose is not None
        assert spec.config is not None
        async with IntacctSimulator(world, clock, behaviour=behaviour) as simulator:
            async with open_intacct(settings(world, simulator.url), context) as client:
                context.connection = client
                for _ in range(times):
                    lines.clear()
                    await spec.diagnose(spec.config(**given), context, (), lines.append)
            return {line.name: line for line in lines}, simulator

    return run


QUERY = {"object": "VENDOR", "fields": ["NAME"]}


@pytest.mark.parametrize("stage", list(SPECS))
async def test_a_user_with_every_right_has_only_lines_that_are_ok(looked: Any, stage: str) -> None:
    lines, _ = await looked(stage, **(QUERY if stage == "intacct.query" else {}))
    assert lines
    assert {line.state for line in lines.values()} == {"ok"}


@pytest.mark.parametrize(
    ("stage", "object", "state"),
    [
        ("intacct.bills", "APBILL", "failed"),
        ("intacct.bills", "APBILLITEM", "failed"),
        ("intacct.bills", "PODOCUMENT", "warning"),
        ("intacct.bills", "CONTACT", "warning"),
        ("intacct.vendors", "VENDOR", "failed"),
        ("intacct.payments", "APPYMT", "failed"),
        ("intacct.orders", "PODOCUMENTENTRY", "failed"),
        ("intacct.accounts", "GLACCOUNT", "failed"),
        ("intacct.dimensions", "PROJECT", "warning"),
        ("intacct.query", "VENDOR", "failed"),
    ],
)
@pytest.mark.parametrize("how", ["denied", "absent"])
async def test_an_object_that_cannot_be_read_is_told_with_what_that_does(
    looked: Any, stage: str, object: str, state: str, how: str
) -> None:
    behaviour = Behaviour(**{how: frozenset({object})})  # type: ignore[arg-type]
    lines, _ = await looked(stage, behaviour, **(QUERY if stage == "intacct.query" else {}))
    assert lines[object].state == state
    found = problem(lines, object)
    assert found.code == ("MLC-INTACCT-0120" if how == "denied" else "MLC-INTACCT-0131")
    assert object in found.where
    assert ("without it" in lines[object].found) == (state == "warning")


@pytest.mark.parametrize("stage", ["intacct.bills", "intacct.orders"])
@pytest.mark.parametrize(("wanted", "state"), [(True, "warning"), (False, None)])
async def test_the_right_to_cross_references_is_asked_about_where_the_flow_wants_them(
    looked: Any, stage: str, wanted: bool, state: str | None
) -> None:
    lines, _ = await looked(stage, Behaviour(denied=frozenset({"ITEMCROSSREF"})), vendor_items=wanted)
    assert (lines["ITEMCROSSREF"].state if "ITEMCROSSREF" in lines else None) == state


async def test_a_dimension_asked_for_by_name_must_be_readable(looked: Any) -> None:
    lines, _ = await looked("intacct.dimensions", Behaviour(absent=frozenset({"PROJECT"})), objects=["PROJECT", "ITEM"])
    assert {name: line.state for name, line in lines.items()} == {"PROJECT": "failed", "ITEM": "ok"}


async def test_a_field_that_this_company_lacks_is_named_and_does_no_harm(looked: Any) -> None:
    lines, _ = await looked("intacct.bills", Behaviour(hidden=frozenset({"APBILL.PRBATCH", "APBILL.SUPDOCID"})))
    assert lines["APBILL"].state == "ok"
    assert "has no PRBATCH, SUPDOCID" in lines["APBILL"].found


async def test_a_field_that_the_source_cannot_do_without_fails(looked: Any) -> None:
    lines, _ = await looked("intacct.bills", Behaviour(hidden=frozenset({"APBILL.VENDORID"})))
    assert problem(lines, "APBILL").code == "MLC-INTACCT-0130"


async def test_a_field_that_the_flow_asks_for_and_the_company_lacks_fails(looked: Any) -> None:
    lines, _ = await looked("intacct.vendors", fields=["PAYMENT_PORTAL"])
    assert "PAYMENT_PORTAL" in problem(lines, "VENDOR").why


async def test_an_object_is_asked_about_once_however_many_stages_need_it(looked: Any) -> None:
    lines, simulator = await looked("intacct.vendors", times=3)
    assert lines["VENDOR"].state == "ok"
    assert simulator.counts.billable == len(lines)


async def test_nothing_is_changed(looked: Any, diagnosed: Diagnosed) -> None:
    _, _, simulator = await diagnosed()
    _, other = await looked("intacct.bills")
    kinds = {effect["kind"] for each in (simulator, other) for effect in each.effects()}
    assert kinds <= {"login", "getAPISession", "session refused", "query", "lookup"}
