"""Which partner wants what, from a Sterling code list: the same documents reach the same mailboxes as by the partner files."""

from __future__ import annotations

from typing import Any

import yaml

from stages.sterling.simulator.entities import CodeList

BILLS = 60


def rules_of(rig: Any) -> dict[tuple[str, str], dict[str, str]]:
    """The document rules of the partner files, as codes."""
    default = yaml.safe_load((rig.flows / "partners" / "_default.yaml").read_text())["documents"]
    codes = {}
    for path in (rig.flows / "partners").glob("[a-z]*.yaml"):
        partner = yaml.safe_load(path.read_text())
        for number, rule in enumerate(partner.get("documents", default)):
            pair = (partner["partner"], f"{rule['set']}-{number}")
            codes[pair] = {"text1": rule["role"], "text2": rule.get("when", "")}
    return codes


async def test_the_list_puts_the_same_documents_into_the_same_mailboxes(rigs: Any, reference: Any) -> None:
    async with rigs(BILLS) as rig:
        hub, codes = rig.sterling.hub, rules_of(rig)
        routes = CodeList("AP_ROUTES", "", "", 1, "", True, True, "admin", hub.clock.now(), codes)
        hub.code_lists[routes.key] = routes
        rig.edit(
            ("map: ap.route, with: { partners", "map: sterling.route, via: b2bi, with: { list: AP_ROUTES, partners")
        )
        outcome = await rig.run()
        assert (outcome.code, outcome.json["balanced"]) in ((0, True), (5, True)), outcome.err
        assert rig.far.mailboxes() == await reference(BILLS)


async def test_a_partner_that_is_taken_out_of_the_list_gets_nothing(rigs: Any, reference: Any) -> None:
    async with rigs(BILLS) as rig:
        hub, codes = rig.sterling.hub, rules_of(rig)
        expected = await reference(BILLS)
        box = sorted(expected)[0]
        partner = box.split("/")[1]
        kept = {pair: code for pair, code in codes.items() if pair[0] != partner}
        routes = CodeList("AP_ROUTES", "", "", 1, "", True, True, "admin", hub.clock.now(), kept)
        hub.code_lists[routes.key] = routes
        rig.edit(
            ("map: ap.route, with: { partners", "map: sterling.route, via: b2bi, with: { list: AP_ROUTES, partners")
        )
        await rig.run()
        assert rig.far.mailboxes() == {path: sets for path, sets in expected.items() if path != box}
