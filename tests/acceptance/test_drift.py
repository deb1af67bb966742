"""What people change in Sterling by hand: a run leaves it, `drift` shows it in both directions, `run --rewrite` mends it."""

from __future__ import annotations

from typing import Any

import msgspec

BILLS = 20


async def vendors(rig: Any, *options: str) -> Any:
    return await rig.command("run", str(rig.flows / "vendors.yaml"), "--json", *options)


async def drift(rig: Any, *more: str) -> Any:
    return await rig.command("drift", str(rig.flows / "vendors.yaml"), "--json", *more)


def writes(rig: Any, since: int) -> list[str]:
    return [effect["effect"] for effect in rig.sterling.effects()[since:]]


async def test_nothing_differs_after_a_run_and_looking_changes_nothing(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        assert (await vendors(rig)).code in (0, 5)
        before, rows = len(rig.sterling.effects()), rig.rows("select count(*) from audit")
        outcome = await drift(rig)
        assert outcome.json["items"] == []
        assert outcome.json["compared"] == len(rig.sterling.hub.partners)
        assert outcome.code == (0 if not outcome.json["unknown"] else 5)
        assert writes(rig, before) == []
        assert rig.rows("select count(*) from audit") == rows


async def test_changes_by_hand_are_shown_in_both_directions_left_by_a_run_and_mended_by_a_rewrite(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        hub = rig.sterling.hub
        changed, deleted, boxless = sorted(hub.partners)[:3]
        hub.partners[changed]["city"] = "Elsewhere"
        hub.remove_account(hub.partners.pop(deleted)["username"])
        hub.remove_account(hub.partners[boxless]["username"])
        hub.partners["BYHAND"] = {**hub.partners[changed], "partnerName": "BYHAND", "code": "X-1", "username": "x"}
        hub.partners["OTHERS"] = {**hub.partners["BYHAND"], "partnerName": "OTHERS", "code": "", "community": "OTHERS"}
        outcome = await drift(rig)
        found = {item["name"] or item["key"]: item for item in outcome.json["items"]}
        assert outcome.code == 5
        assert outcome.json["counts"] == {"missing": 1, "differs": 2, "extra": 1}
        assert found[changed]["fields"][0]["there"] == "Elsewhere"
        assert "to be made or changed: user" in found[boxless]["note"]
        assert (found["BYHAND"]["kind"], found["BYHAND"]["note"]) == ("extra", "no vendor has this code")
        before = len(rig.sterling.effects())
        again = (await vendors(rig)).json
        assert (again["delivered"], writes(rig, before)) == (0, [])
        mended = await vendors(rig, "--rewrite")
        assert mended.json["balanced"]
        assert sorted(set(writes(rig, before))) == [
            "partner.created",
            "partner.updated",
            "root.created",
            "user.created",
        ]
        left = (await drift(rig)).json
        assert [(item["kind"], item["name"]) for item in left["items"]] == [("extra", "BYHAND")]


async def test_a_rewrite_of_what_is_as_it_should_be_writes_nothing_there_and_lets_the_next_run_go_on(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        first = (await vendors(rig)).json
        before = len(rig.sterling.effects())
        again = (await vendors(rig, "--rewrite")).json
        assert (again["read"], again["delivered"], again["balanced"]) == (first["read"], first["delivered"], True)
        assert writes(rig, before) == []
        assert (await vendors(rig)).json["delivered"] == 0


async def test_the_note_of_an_extra_partner_says_why_its_vendor_is_left_out(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        hub = rig.sterling.hub
        alone = next(v for v in rig.world.vendors if v.status == "active" and v.id.replace("-", "_") in hub.partners)
        rig.intacct.put_vendor(msgspec.structs.replace(alone, status="inactive"))
        items = (await drift(rig)).json["items"]
        assert [(item["kind"], item["key"]) for item in items] == [("extra", alone.id)]
        assert "not active" in items[0]["note"]


async def test_people_are_told_what_differs_and_which_command_mends_it(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        name = sorted(rig.sterling.hub.partners)[0]
        rig.sterling.hub.partners[name]["city"] = "Elsewhere"
        outcome = await rig.command("drift", str(rig.flows / "vendors.yaml"))
        assert outcome.code == 5
        assert "Elsewhere" in outcome.out
        assert "1 differs" in outcome.out


async def test_a_flow_that_writes_no_states_is_neither_compared_nor_rewritten(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        outcome = await rig.command("drift", str(rig.flow), "--json")
        assert (outcome.code, outcome.json["code"]) == (2, "MLC-CLI-0024")
        outcome = await rig.run("--rewrite")
        assert outcome.code == 2
        assert "MLC-RUN-0012" in outcome.err


async def test_a_source_that_breaks_off_is_an_error_and_not_a_thousand_missing_partners(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        rig.environment["INTACCT_USER_PASSWORD"] = "wrong"
        outcome = await drift(rig)
        assert (outcome.code, "items" in outcome.json) == (4, False)


async def test_a_code_changed_by_hand_is_one_line_that_names_the_code_that_has_the_name(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        name, row = next(iter(rig.sterling.hub.partners.items()))
        code, row["code"] = row["code"], "GONE-1"
        (item,) = (await drift(rig)).json["items"]
        assert (item["key"], item["name"]) == (code, name)
        assert "taken by code GONE-1" in item["note"]
        assert "`trading_partner.formerly`" in item["note"]


async def test_a_code_changed_by_hand_is_taken_back_once_the_partner_file_names_it_as_former(rigs: Any) -> None:
    async with rigs(BILLS) as rig:
        await vendors(rig)
        partners = rig.sterling.hub.partners
        file = next(
            file for file in sorted((rig.flows / "partners").glob("[a-z]*.yaml")) if file.stem.upper() in partners
        )
        name, before = file.stem.upper(), len(partners)
        partners[name]["code"] = "GONE-1"
        (item,) = (await drift(rig)).json["items"]
        assert "name GONE-1 in `trading_partner.formerly` of its partner file" in item["note"]
        with file.open("a") as text:
            text.write("\ntrading_partner: { formerly: [GONE-1] }\n")
        since = len(rig.sterling.effects())
        (item,) = (await drift(rig)).json["items"]
        assert (item["kind"], [field["member"] for field in item["fields"]]) == ("differs", ["code"])
        assert (await vendors(rig, "--rewrite")).json["balanced"]
        assert writes(rig, since) == ["partner.updated"]
        assert (partners[name]["code"], len(partners)) == (name, before)
        assert (await drift(rig)).json["items"] == []
        assert (await vendors(rig, "--rewrite")).json["balanced"]
        assert writes(rig, since) == ["partner.updated"]
