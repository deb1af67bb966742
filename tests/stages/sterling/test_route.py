"""``sterling.route``: a code list says which partner wants which document; everything else is as with ``ap.route``."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from pipeline import ConfigError, Excluded, FlowError, Record, Secret, SystemClock
from stages.ap.model import Bill, BillLine
from stages.ap.seed.world import World
from stages.sterling import ADAPTER
from stages.sterling.apis import connect
from stages.sterling.config import Auth, Basic, SterlingConfig
from stages.sterling.route import ListRouteSettings
from stages.sterling.simulator import Fault, SterlingSimulator, Switches
from stages.sterling.simulator.entities import CodeList

SHIPPED = Path(__file__).parents[3] / "flows"
SPEC = next(spec for spec in ADAPTER.stages if spec.name == "sterling.route")


def code(role="", when="", **more):
    return {"text1": role, "text2": when, **more}


@pytest.fixture
def serve():
    @asynccontextmanager
    async def make(*lists, **switches):
        world = World(
            company="H", company_name="H", sender="s", sender_password="s", user="u", user_password="u", entities=(), vendors=(),
            bills=(), purchases=(), partners=(), sterling_user="apconnector", sterling_password="Canary-pass-1",
            now=datetime(2024, 1, 31, tzinfo=UTC),
        )  # fmt: skip
        simulator = SterlingSimulator(world, SystemClock(), switches=Switches(**switches))
        for number, codes in enumerate(lists, 1):
            made = CodeList(
                "AP_ROUTES", "", "", number, "", True, number == 1, "admin", simulator.hub.clock.now(), codes
            )
            simulator.hub.code_lists[made.key] = made
        async with simulator.listen():
            yield simulator

    return make


@pytest.fixture
def over(context):
    """``async with over(simulator) as context``: the context of a stage, with a client."""

    @asynccontextmanager
    async def make(simulator):
        env = simulator.environment
        auth = Auth(basic=Basic(user=env["STERLING_USER"], password=Secret(env["STERLING_PASSWORD"])))
        async with connect(SterlingConfig(url=env["STERLING_URL"], auth=auth), context) as client:
            yield msgspec.structs.replace(context, connection=client, folder=SHIPPED)

    return make


def settings(**changes):
    return ListRouteSettings(**{"list": "AP_ROUTES", "partners": "partners/", **changes})


def bill(vendor="V-1014", module=""):
    line = BillLine(number=1, amount=Decimal(10), description="x")
    body = Bill(
        record="1",
        date=date(2026, 1, 1),
        number="INV-1",
        vendor=vendor,
        total=Decimal(10),
        currency="USD",
        lines=(line,),
        source={"MODULEKEY": module},
    )
    return Record(key="1", kind="bill", body=body)


async def made(stage, **which):
    try:
        return [(record.body.partner, record.body.set) for record in stage(bill(**which))]
    except Excluded as left_out:
        return left_out.rule


LISTED = {
    ("RIVERBEND", "810"): code("self_bill", "bill.MODULEKEY != '9.PO'"),
    ("RIVERBEND", "850"): code("", "bill.MODULEKEY == '9.PO'"),
    ("*", "810 for all others"): code("bill_copy"),
    ("AMBERLANE", "850"): code(),
}


@pytest.mark.parametrize(
    ("vendor", "module", "documents"),
    [
        ("V-1014", "", [("RIVERBEND", "810")]),
        ("V-1014", "9.PO", [("RIVERBEND", "850")]),
        ("V-1096", "", [("NORTHSTACK", "810")]),
        ("V-9999", "", "not on EDI"),
    ],
)
async def test_the_list_decides_and_its_star_stands_for_all_others(serve, over, vendor, module, documents):
    async with serve(LISTED) as simulator, over(simulator) as context:
        stage = await SPEC.build(settings(), context)
        assert await made(stage, vendor=vendor, module=module) == documents


async def test_a_partner_that_is_not_listed_asks_for_nothing_whatever_its_file_says(serve, over):
    async with serve({("AMBERLANE", "850"): code()}) as simulator, over(simulator) as context:
        assert await made(await SPEC.build(settings(), context)) == "nothing asked for"


@pytest.mark.parametrize(
    ("version", "documents"), [(0, [("RIVERBEND", "810")]), (1, [("RIVERBEND", "810")]), (2, [("RIVERBEND", "850")])]
)
async def test_the_default_version_is_read_unless_another_is_named(serve, over, version, documents):
    lists = {("RIVERBEND", "810"): code("self_bill")}, {("RIVERBEND", "850"): code()}
    async with serve(*lists) as simulator, over(simulator) as context:
        assert await made(await SPEC.build(settings(version=version), context)) == documents


async def test_texts_that_hold_role_and_condition_are_settings(serve, over):
    codes = {("RIVERBEND", "810"): {"description": "self_bill", "text9": "bill.total > 5"}}
    async with serve(codes) as simulator, over(simulator) as context:
        stage = await SPEC.build(settings(role="description", when="text9"), context)
        assert await made(stage) == [("RIVERBEND", "810")]


async def test_codes_of_another_list_whose_name_begins_alike_are_not_taken(serve, over):
    async with serve({("RIVERBEND", "810"): code("self_bill")}) as simulator, over(simulator) as context:
        other = CodeList(
            "AP_ROUTES_OLD",
            "",
            "",
            1,
            "",
            True,
            True,
            "admin",
            simulator.hub.clock.now(),
            {("RIVERBEND", "850"): code()},
        )
        simulator.hub.code_lists[other.key] = other
        assert await made(await SPEC.build(settings(), context)) == [("RIVERBEND", "810")]


async def test_a_level_without_codelistcodes_gives_them_with_the_list(serve, over):
    async with serve({("RIVERBEND", "810"): code("self_bill")}) as simulator, over(simulator) as context:
        simulator.faults.add(Fault(kind="html", status=404, match="GET codelistcodes", times=None))
        assert await made(await SPEC.build(settings(), context)) == [("RIVERBEND", "810")]


@pytest.mark.parametrize(
    ("pair", "texts", "told"),
    [
        (("RIVERBEND", "997"), code(), "'997' is no set that is sent"),
        (("RIVERBEND", "invoice"), code(), "'invoice' is no set that is sent"),
        (("RIVERBEND", "810"), code(), "needs one of the roles"),
        (("RIVERBEND", "850"), code("self_bill"), "needs one of the roles order"),
        (("RIVERBEND", "810"), code("self_bill", "bill.total >"), "cannot be read"),
        (("RIVERBEND", "820"), code("", "bill.total > 0"), "knows only `payment`"),
    ],
)
async def test_an_entry_that_cannot_be_meant_stops_the_flow_and_is_named(serve, over, pair, texts, told):
    async with serve({**LISTED, pair: texts}) as simulator, over(simulator) as context:
        with pytest.raises(ConfigError) as caught:
            await SPEC.build(settings(), context)
    assert (caught.value.code, told in caught.value.why, pair[1] in caught.value.why) == ("MLC-STL-0343", True, True)


async def test_a_list_that_is_not_there_or_not_active_stops_the_flow(serve, over):
    async with serve({}) as simulator, over(simulator) as context:
        simulator.hub.code_lists["AP_ROUTES|||1"].active = False
        for missing in (settings(), settings(list="OTHER"), settings(version=7), settings(sender="X")):
            with pytest.raises(ConfigError, match="no code list"):
                await SPEC.build(missing, context)


async def test_a_guide_that_does_not_fit_what_the_list_asks_for_is_a_finding(serve, over, tmp_path):
    folder = tmp_path / "partners"
    folder.mkdir()
    for name in ("_default.yaml", "northstack.yaml"):
        folder.joinpath(name).write_text((SHIPPED / "partners" / name).read_text())
    with folder.joinpath("northstack.yaml").open("a") as file:
        file.write("\nguide: { limits: { BIG02: 900 } }\ndocuments: []\n")
    async with serve({("NORTHSTACK", "810"): code("self_bill")}) as simulator, over(simulator) as context:
        with pytest.raises(FlowError) as caught:
            await SPEC.build(settings(), msgspec.structs.replace(context, folder=tmp_path))
    assert "BIG02" in str(caught.value.findings)


async def test_doctor_reads_the_list_and_names_partners_without_a_file(serve, over):
    told = []
    async with serve({**LISTED, ("NOFILE", "850"): code()}) as simulator, over(simulator) as context:
        await SPEC.diagnose(settings(), context, (), told.append)
    assert [(line.name, line.state) for line in told] == [("code list", "ok"), ("partners", "warning")]
    assert "NOFILE" in told[1].problem.where


def test_every_partner_may_be_sent_to():
    destinations = SPEC.destinations(settings(), SHIPPED, {})
    assert ("RIVERBEND", "/RIVERBEND/Inbound") in [(each.lane, each.address) for each in destinations]
