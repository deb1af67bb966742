"""What is on the server before the first request: a community, accounts, groups, the partners' mailboxes."""

from __future__ import annotations

from stages.ap.seed.world import World
from stages.sterling.simulator.entities import Account, Schedule, Workflow
from stages.sterling.simulator.hub import ADMINISTRATORS, EVALUATION, QUERY_ALL, Hub

COMMUNITY = "AP_VENDORS"
GROUP = "AP_CONNECTOR"  # holds the mailbox permissions of the connector's account
LOGIN = "Mailbox Login Without Virtual Root Permission"
ADMIN_USER = "admin"
ADMIN_PASSWORD = "simulated-admin"


def seed(hub: Hub, world: World) -> None:
    """Fills an empty hub. The connector's account is no administrator: it has APIUser and, by its group, the mailboxes."""
    hub.communities[COMMUNITY] = {
        "name": COMMUNITY,
        "partnersInitiateConnections": True,
        "partnersListenForConnections": True,
    }
    hub.permissions |= {"APIUser": 6, QUERY_ALL: 1, LOGIN: 1}
    hub.groups |= {GROUP: set(), ADMINISTRATORS: set()}
    names = {"givenName": "AP", "surname": "Connector", "email": "ap-connector@example.com"}
    hub.add_account(
        Account(world.sterling_user, world.sterling_password, names, groups=[GROUP], permissions=["APIUser"])
    )
    names = {"givenName": "System", "surname": "Administrator", "email": "admin@example.com"}
    hub.add_account(Account(ADMIN_USER, ADMIN_PASSWORD, names, groups=[ADMINISTRATORS], permissions=["APIUser"]))
    for number, name in enumerate((EVALUATION, "AP_SendX12"), 1):
        process = Workflow(name, 1, number, "", f'<process name="{name}"/>', ADMIN_USER, hub.clock.now(), default=True)
        hub.workflows[process.key] = process
    hub.schedules[EVALUATION] = Schedule(EVALUATION, ADMIN_USER, minutes=1)
    for path in sorted({partner.mailbox for partner in world.partners}):
        open_mailbox(hub, path)
    hub.effects.clear()


def open_mailbox(hub: Hub, path: str) -> None:
    """A mailbox with its parents, all of them the connector's."""
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts) + 1):
        part = "/" + "/".join(parts[:depth])
        if part not in hub.paths:
            hub.add_mailbox(part, parts[depth - 1], groups=[GROUP])
