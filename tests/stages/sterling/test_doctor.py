"""`doctor` for Sterling: each step tells what it found, names who mends what, and changes nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pipeline import Destination, Secret, SystemClock
from stages.ap.seed.world import SeedPartner, World
from stages.sterling import ADAPTER
from stages.sterling.apis import connect
from stages.sterling.config import (
    Auth,
    Basic,
    CodesSettings,
    MailboxSettings,
    OAuth2,
    PartnerSettings,
    RuleSettings,
    SterlingConfig,
)
from stages.sterling.doctor import diagnose_connection
from stages.sterling.simulator import Fault, OAuth, SterlingSimulator, Switches
from stages.sterling.simulator.entities import CodeList
from stages.sterling.simulator.hub import ADMINISTRATORS

SHIPPED = Path(__file__).parents[3] / "flows"
BOXES = [Destination("RIVERBEND", "/RIVERBEND/Inbound"), Destination("OCEANIC", "/OCEANIC/Inbound")]
PARTNERS, MAILBOX, SOURCE = ADAPTER.stages[:3]


@pytest.fixture
def serve():
    @asynccontextmanager
    async def make(**switches):
        partners = tuple(
            SeedPartner(code=code, name=code, vendors=("V",), mailbox=f"/{code}/Inbound")
            for code in ("RIVERBEND", "OCEANIC")
        )
        world = World(
            company="H", company_name="H", sender="s", sender_password="s", user="u", user_password="u", entities=(), vendors=(),
            bills=(), purchases=(), partners=partners, sterling_user="apconnector", sterling_password="Canary-pass-1",
            now=datetime(2024, 1, 31, tzinfo=UTC),
        )  # fmt: skip
        simulator = SterlingSimulator(world, SystemClock(), switches=Switches(**switches))
        async with simulator.listen():
            yield simulator

    return make


def config_of(simulator, **changes):
    env = simulator.environment
    auth = Auth(basic=Basic(user=env["STERLING_USER"], password=Secret(env["STERLING_PASSWORD"])))
    return msgspec.structs.replace(SterlingConfig(url=env["STERLING_URL"], auth=auth), **changes)


class Lines(list):
    def __call__(self, diagnosis):
        self.append(diagnosis)

    @property
    def states(self):
        return {line.name: line.state for line in self}

    def __getitem__(self, name):
        return next(line for line in self if line.name == name)


@pytest.fixture
def connection(context):
    async def look(config):
        lines = Lines()
        lines.usable = await diagnose_connection(config, context, lines)
        return lines

    return look


@pytest.fixture
def stage(context):
    """What one stage's check tells over an open connection."""

    async def look(spec, simulator, settings=None, destinations=(), **changes):
        lines = Lines()
        async with connect(config_of(simulator, **changes), context) as client:
            await spec.diagnose(settings, msgspec.structs.replace(context, connection=client), destinations, lines)
        return lines

    return look


async def test_a_connection_that_is_well_is_told_step_by_step_and_nothing_changes(serve, connection):
    async with serve() as simulator:
        lines = await connection(config_of(simulator))
        assert lines.usable
        assert lines.states == dict.fromkeys(["reach", "TLS", "sign-in", "account", "message list"], "ok")
        assert lines["sign-in"].found == "user apconnector"
        assert simulator.effects() == ()


async def test_nobody_listening_is_a_matter_of_reach(serve, connection):
    async with serve() as simulator:
        config = config_of(simulator)
    lines = await connection(config)
    assert (lines.usable, lines.states) == (False, {"reach": "failed"})


@pytest.mark.parametrize("path", ["/B2BAPIs", "/other/svc"])
async def test_an_address_beside_the_apis_is_a_matter_of_reach(serve, connection, path):
    async with serve() as simulator:
        lines = await connection(config_of(simulator, url=simulator.origin + path))
        assert (lines.usable, lines.states) == (False, {"reach": "failed"})
        assert "url" in lines["reach"].problem.mend


async def test_a_wrong_password_is_a_matter_of_the_sign_in_and_is_not_repeated(serve, connection):
    async with serve() as simulator:
        wrong = Auth(basic=Basic(user="apconnector", password=Secret("wrong-canary")))
        lines = await connection(config_of(simulator, auth=wrong))
        assert (lines.usable, lines.states) == (False, {"sign-in": "failed"})
        assert len(simulator.requests) == 1
        assert "canary" not in str(lines["sign-in"].problem)


async def test_a_token_server_that_refuses_the_client_is_a_matter_of_the_sign_in(serve, connection):
    async with serve(oauth=OAuth(client_id="c", client_secret="s")) as simulator:
        oauth = OAuth2(token_url=simulator.environment["STERLING_TOKEN_URL"], client_id="c", client_secret=Secret("no"))
        lines = await connection(config_of(simulator, auth=Auth(oauth2=oauth)))
        assert lines.states == {"sign-in": "failed"}


async def test_an_administrator_fails_and_is_accepted_when_allowed(serve, connection):
    async with serve() as simulator:
        simulator.hub.accounts["apconnector"].groups.append(ADMINISTRATORS)
        assert (await connection(config_of(simulator))).states["account"] == "failed"
        assert (await connection(config_of(simulator, allow_administrator=True))).states["account"] == "ok"


async def test_an_account_that_may_not_read_itself_is_as_it_should_be(serve, connection):
    async with serve() as simulator:
        simulator.faults.add(Fault(kind="html", status=403, match="GET useraccounts/*", times=None))
        lines = await connection(config_of(simulator))
        assert lines.states["account"] == "ok"
        assert "least-privilege" in lines["account"].found


async def test_settings_that_cannot_be_are_told_as_such(serve, connection):
    async with serve() as simulator:
        lines = await connection(config_of(simulator, url="http://far.example/B2BAPIs/svc"))
        assert (lines.usable, lines.states) == (False, {"settings": "failed"})


async def test_mailboxes_of_all_partners_are_looked_into(serve, stage):
    async with serve() as simulator:
        lines = await stage(MAILBOX, simulator, destinations=BOXES)
        assert lines.states == {"upload": "ok", "mailboxes": "ok", "mailbox rights": "ok"}
        assert simulator.effects() == ()


async def test_a_missing_mailbox_names_its_partner_and_the_others_are_still_looked_into(serve, stage):
    async with serve() as simulator:
        lines = await stage(MAILBOX, simulator, destinations=[*BOXES, Destination("NEW", "/NEW/Inbound")])
        assert lines.states == {"upload": "ok", "mailboxes": "failed", "mailbox rights": "ok"}
        assert "/NEW/Inbound of NEW" in lines["mailboxes"].problem.where


async def test_a_mailbox_without_permission_is_named_with_the_permission_to_ask_for(serve, stage):
    async with serve() as simulator:
        simulator.hub.groups["AP_CONNECTOR"].discard("/OCEANIC/Inbound Mailbox")
        lines = await stage(MAILBOX, simulator, destinations=BOXES)
        assert lines.states["mailbox rights"] == "failed"
        assert "'/OCEANIC/Inbound Mailbox'" in lines["mailbox rights"].problem.mend


@pytest.mark.parametrize("status", [404, 405])
async def test_a_level_without_message_batches_is_told_before_anything_is_sent(serve, stage, status):
    async with serve(batches_status=status) as simulator:
        lines = await stage(MAILBOX, simulator, destinations=BOXES)
        assert lines.states["upload"] == "failed"
        assert "upload: documents" in lines["upload"].problem.mend
        lines = await stage(MAILBOX, simulator, destinations=BOXES, upload="documents")
        assert lines.states["upload"] == "ok"


async def test_an_account_that_is_shown_no_mailbox_is_told_that_nothing_is_known(serve, stage):
    async with serve() as simulator:
        simulator.faults.add(Fault(kind="html", status=403, match="GET mailboxes", times=None))
        lines = await stage(MAILBOX, simulator, destinations=BOXES)
        assert lines.states["mailboxes"] == "skipped"


async def test_mailboxes_to_read_are_looked_into_too(serve, stage):
    async with serve() as simulator:
        lines = await stage(SOURCE, simulator, MailboxSettings(mailboxes=("/RIVERBEND/Inbound", "/NOWHERE")))
        assert lines.states["mailboxes"] == "failed"
        assert "/NOWHERE" in lines["mailboxes"].problem.where


async def test_community_code_list_and_rules_are_looked_up(serve, stage):
    async with serve() as simulator:
        made = CodeList("AP_ROUTES", "", "", 1, "", True, True, "admin", simulator.hub.clock.now())
        made.codes["V-1", "RIVERBEND"] = {}
        simulator.hub.code_lists[made.key] = made
        settings = PartnerSettings(
            community="AP_VENDORS", rule=RuleSettings(action="BP"), codes=CodesSettings(list="AP_ROUTES")
        )
        lines = await stage(PARTNERS, simulator, settings)
        names = ["community", "tradingpartners", "mailboxes", "useraccounts", "routingrules", "code list"]
        assert lines.states == dict.fromkeys(names, "ok")
        assert lines["code list"].found == "AP_ROUTES|||1, 1 codes"
        assert simulator.effects() == ()


@pytest.mark.parametrize(
    ("form", "status", "state"),
    [("json", 404, "failed"), ("json", 405, "failed"), ("json", 0, "ok"), ("html", 0, "ok"), ("empty", 0, "ok")],
)
async def test_a_level_without_routing_rules_fails_where_the_flow_wants_them_and_it_can_be_told(
    serve, stage, form, status, state
):
    async with serve(unknown=form, empty=form, empty_is_404=frozenset({"*"})) as simulator:
        if status:
            simulator.faults.add(Fault(kind="html", status=status, match="* routingrules*", times=None))
        lines = await stage(PARTNERS, simulator, PartnerSettings(rule=RuleSettings(action="BP")))
        assert lines.states["routingrules"] == state
        assert not status or "Leave out `rule`" in lines["routingrules"].problem.mend


@pytest.mark.parametrize(("create", "state"), [(False, "failed"), (True, "ok")])
async def test_a_missing_community_fails_unless_it_is_to_be_made(serve, stage, create, state):
    async with serve() as simulator:
        settings = PartnerSettings(community="NEW", create_community=create)
        assert (await stage(PARTNERS, simulator, settings)).states["community"] == state


@pytest.mark.parametrize("form", ["html", "empty", "refused"])
async def test_a_missing_community_fails_however_the_server_says_it(serve, stage, form):
    async with serve(unknown=form) as simulator:
        assert (await stage(PARTNERS, simulator, PartnerSettings(community="AP_VENDRS"))).states[
            "community"
        ] == "failed"


@pytest.mark.parametrize("form", ["html", "empty", "refused", "none"])
async def test_a_hub_that_says_nothing_is_there_by_pages_is_well(serve, connection, stage, form):
    async with serve(
        unknown="json" if form == "none" else form, empty=form, empty_is_404=frozenset({"*"})
    ) as simulator:
        lines = await connection(config_of(simulator))
        assert "failed" not in lines.states.values()
        mailboxes = await stage(MAILBOX, simulator, None, BOXES)
        assert mailboxes.states["upload"] == "ok"
        assert "failed" not in mailboxes.states.values()


async def test_lists_that_only_complete_partners_are_a_warning_when_refused(serve, stage):
    async with serve() as simulator:
        simulator.faults.add(Fault(kind="html", status=403, match="GET useraccounts", times=None))
        simulator.faults.add(Fault(kind="html", status=403, match="GET tradingpartners", times=None))
        lines = await stage(PARTNERS, simulator, PartnerSettings(community="AP_VENDORS"))
        assert (lines.states["useraccounts"], lines.states["tradingpartners"]) == ("warning", "failed")


async def test_mailboxes_in_which_partners_answer_are_looked_into_with_whom_they_are_of(
    serve, stage, context, tmp_path
):
    folder = tmp_path / "partners"
    folder.mkdir()
    for name in ("_default.yaml", "northstack.yaml", "riverbend.yaml"):
        folder.joinpath(name).write_text((SHIPPED / "partners" / name).read_text())
    with folder.joinpath("northstack.yaml").open("a") as file:
        file.write("\nacknowledgement: { mailbox: /NORTHSTACK/Answers }\n")
    async with serve() as simulator:
        lines = await stage(SOURCE, simulator, MailboxSettings(partners=str(folder)))
    assert (lines["mailboxes"].state, lines["answers"].state) == ("failed", "ok")
    assert "/NORTHSTACK/Answers of NORTHSTACK" in lines["mailboxes"].problem.where
