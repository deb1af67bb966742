"""Public clients themselves, unchanged but for their endpoint, against a simulator. Only with ``-m public_clients``: see CONTRIBUTING.md."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pipeline.clock import SystemClock
from pipeline.testing import ManualClock
from stages.ap.seed import SeedBill, World, build_world
from stages.intacct.simulator import Behaviour, IntacctSimulator

pytestmark = pytest.mark.public_clients

CLIENTS = Path(__file__).parents[4] / ".clients"
SCRIPTS = Path(__file__).parent / "clients"
BILLS = 60
T = TypeVar("T")


@pytest.fixture(scope="module")
def books() -> World:
    return build_world(seed=3, bills=BILLS)


async def _run(*command: str, environment: dict[str, str]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(output)
    return seen


def _arguments(world: World, endpoint: str) -> tuple[str, ...]:
    return (
        endpoint,
        world.sender,
        world.sender_password,
        world.company,
        world.user,
        world.user_password,
        world.entities[0].id,
    )


def _visible(world: World) -> list[SeedBill]:
    """The bills that a session of the first entity sees, by record."""
    return sorted(_ours(world, world.bills), key=lambda bill: bill.record)


def _ours(world: World, records: Iterable[T]) -> list[T]:
    return [record for record in records if record.entity in {"", world.entities[0].id}]  # type: ignore[attr-defined]


def _found(world: World) -> dict[str, list[int]]:
    """By operator the bills that the clients' filters have to find."""
    tests: dict[str, Callable[[SeedBill], bool]] = {
        "equalto": lambda bill: bill.state == "Posted",
        "notequalto": lambda bill: bill.state != "Posted",
        "lessthan": lambda bill: bill.record < 50020,
        "lessthanorequalto": lambda bill: bill.date <= date(2026, 10, 15),
        "greaterthan": lambda bill: bill.modified is not None and bill.modified > datetime(2026, 10, 15, tzinfo=UTC),
        "greaterthanorequalto": lambda bill: bill.record >= 50020,
        "between": lambda bill: 50010 <= bill.record <= 50020,
        "in": lambda bill: bill.state in {"Posted", "Paid"},
        "notin": lambda bill: bill.state not in {"Posted", "Paid"},
        "like": lambda bill: bill.number.startswith("INV"),
        "notlike": lambda bill: not bill.number.startswith("INV"),
        "isnull": lambda bill: bill.discount_date is None,
        "isnotnull": lambda bill: bill.discount_date is not None,
    }
    return {name: [bill.record for bill in _visible(world) if test(bill)] for name, test in tests.items()}


async def test_the_python_sdk_reads_and_writes(books):
    if importlib.util.find_spec("sageintacctsdk") is None and not (CLIENTS / "python" / "sageintacctsdk").exists():
        pytest.skip("sageintacctsdk is not installed: pip install --target .clients/python sageintacctsdk")
    paths = {"PYTHONPATH": os.pathsep.join([str(CLIENTS / "python"), os.environ.get("PYTHONPATH", "")])}
    # All but one of its parts go on asking the first endpoint, whatever the sign-in said.
    behaviour = Behaviour(second_endpoint=False)
    async with IntacctSimulator(books, ManualClock(books.now, autojump=True), behaviour=behaviour) as simulator:
        arguments = _arguments(books, simulator.url)
        seen = await _run(sys.executable, str(SCRIPTS / "sdk_python.py"), *arguments, environment=paths)

    visible = [bill.record for bill in _visible(books)]
    posted = [bill for bill in _visible(books) if bill.state in {"Posted", "Paid"}]
    assert (seen["wrong password"], seen["unknown field"], seen["twice"]) == (
        "InvalidTokenError",
        "WrongParamsError",
        "WrongParamsError",
    )
    assert seen["endpoint"] == simulator.url
    assert (seen["bills"], seen["ordered"]) == (visible, sorted(visible, reverse=True))
    assert seen["vendors"] == sorted(vendor.id for vendor in _ours(books, books.vendors))
    assert seen["filtered"] == len(posted)
    assert seen["by query"] == str(sum(bill.state == "Posted" for bill in posted))
    assert seen["payments"] == len(_ours(books, books.payments)) > 0
    assert (seen["lookup"], seen["created"], seen["renamed"], seen["deleted"]) == (
        "APBILL",
        "V-NEW",
        "Renamed",
        "success",
    )
    assert seen["attachments"] == ["WrongParamsError", "success", "both sides", 2, "Bills", 2, "DOC-1", "success"]
    assert seen["contact"] == ["Jane Doe", "jane@example.com", "Salem", "success", "0"]
    assert seen["private"] == [0, BILLS]
    assert seen["lists"]["bills"] == len(visible)
    assert (seen["lists"]["customers"], seen["lists"]["employees"]) == (3, 3)
    expected = _found(books)
    assert seen["operators"].pop("count") == len([r for r in expected["equalto"] if r > 50020])
    assert seen["operators"].pop("either") == sorted(expected["in"])
    assert seen["operators"] == expected


async def test_pyintacct_reads_page_by_page_and_writes(books):
    if not (CLIENTS / "pyintacct" / "pyintacct").exists():
        pytest.skip("pyintacct is not installed: pip install --target .clients/pyintacct pyintacct")
    async with IntacctSimulator(books, SystemClock()) as simulator:  # it compares the session's end with its own clock
        script = str(SCRIPTS / "client_pyintacct.py")
        environment = {"PYTHONPATH": str(CLIENTS / "pyintacct")}
        seen = await _run(sys.executable, script, *_arguments(books, simulator.url), environment=environment)

    visible = _visible(books)
    assert seen["endpoint"] == simulator.url.replace("/ia/", "/na07/ia/")
    assert seen["bills"] == [bill.record for bill in visible]
    assert seen["posted"] == sum(bill.state == "Posted" for bill in visible)
    assert seen["invoices"] > 10
    assert "There is no transaction definition No such kind" in seen["kind"]
    assert seen["fields"] > 100
    assert seen["vendor"] == ["Renamed", "New"]
    assert seen["order"].startswith("Purchase Order-PO-")


async def test_the_javascript_sdk_follows_the_endpoint_reads_and_writes(books):
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules" / "@intacct" / "intacct-sdk").exists():
        pytest.skip("@intacct/intacct-sdk is not installed: npm install --prefix .clients @intacct/intacct-sdk")
    modules = {"NODE_PATH": str(CLIENTS / "node_modules")}
    async with IntacctSimulator(books, ManualClock(books.now, autojump=True)) as simulator:
        endpoint = simulator.url.replace("127.0.0.1", "api.intacct.com")
        seen = await _run(node, str(SCRIPTS / "sdk_js.js"), *_arguments(books, endpoint), environment=modules)

    visible = [bill.record for bill in _visible(books)]
    chosen = [bill.record for bill in _visible(books) if bill.state in {"Posted", "Paid"} and bill.total > 0]
    assert "Sign-in information is incorrect" in seen["wrongPassword"]
    assert seen["endpoint"] == endpoint.replace("/ia/", "/na07/ia/")
    assert (seen["query"]["count"], seen["query"]["total"]) == (3, len(chosen))
    assert seen["query"]["first"]["RECORDNO"] == str(sorted(chosen)[-2])
    assert sum(int(row["COUNT.RECORDNO"]) for row in seen["aggregates"]) == len(visible)
    assert sorted(map(int, seen["readByQuery"])) == visible
    assert [lines for _, lines in seen["read"]] == [True, True]
    assert (seen["lookup"], seen["created"]) == ("VENDOR", "V-NEW")
    assert "BL34000061" in seen["twice"] or "already exists" in seen["twice"]
    assert seen["readByName"] == [["New & Co", "true", "new@example.com"]]
    assert seen["bill"] == [["B-1", "changed", "12.5"]]
    assert "completed before" in seen["repeated"]
    assert "nobody" in seen["rolledBack"]
    names = {name.lower(): found for name, found in seen["operators"].items()}
    expected = _found(books)
    assert names.pop("nested") == sorted(
        bill.record
        for bill in _visible(books)
        if bill.state == "Draft" or (bill.state == "Paid" and bill.record > 50010)
    )
    assert names == expected
    assert (seen["folded"], seen["coded"]) == (len(expected["equalto"]), len(expected["equalto"]))
    assert "There is no transaction definition No such kind" in seen["kind"]
    vendors = len(_ours(books, books.vendors))
    assert seen["listed"] == [vendors, 0, vendors - 1, vendors]
    assert seen["contact"] == ["Jane Doe", "Doe", "555", "inactive", "Salem"]
    assert "is used by vendor V-JANE" in seen["used"]
    assert seen["attachment"] == ["A-1", "Scans", "first page", "js"]
    assert seen["order"] == ["Purchase Order-N-1", "Pending", "riper", "20.5", 2]
    assert seen["invoice"][:3] == [True, "Converted", "Pending"]
    assert "waits for no approval" in seen["invoice"][3]
    assert seen["states"] == ["Selected", "Selected", "Paid", "Posted", "Paid", "Posted", "Reversed"]
