"""One flow over two companies: side by side, each with its session, cursor and identity of records."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.clock import SystemClock
from stages.ap.seed import build_world
from stages.intacct.simulator import IntacctSimulator

SECOND = """
  others:
    type: intacct
    url: "${env:OTHER_URL}"
    sender_id: "${env:INTACCT_SENDER_ID}"
    sender_password: "${env:INTACCT_SENDER_PASSWORD}"
    company_id: OTHERCO
    user_id: "${env:INTACCT_USER_ID}"
    user_password: "${env:INTACCT_USER_PASSWORD}"
  b2bi:
"""


async def test_two_companies_with_the_same_vendors_and_bills_are_kept_apart(rigs: Any) -> None:
    async with rigs(40) as rig:
        other = msgspec.structs.replace(build_world(seed=1, bills=40), company="OTHERCO")
        rig.edit(
            ("\n  b2bi:\n", SECOND),
            ("  - bills: { source: intacct.bills, via: books }\n", "  - bills: { source: intacct.bills, via: books }\n  - more: { source: intacct.bills, via: others }\n"),
            ("  - payable: {", "  - payable: { from: [bills, more], "),
        )  # fmt: skip
        async with IntacctSimulator(other, SystemClock()) as simulator:
            outcome = await rig.run(OTHER_URL=simulator.url)
            report = outcome.json
            assert (report["read"], report["balanced"]) == (80, True), outcome.err
            assert (simulator.counts.logins, rig.intacct.counts.logins) == (1, 1)
            by_company = dict(
                rig.rows("select company, count(*) from documents where status = 'delivered' group by company")
            )
            assert by_company == dict.fromkeys((rig.world.company, "OTHERCO"), by_company["OTHERCO"])
            assert {row[0] for row in rig.rows("select scope from cursors")} == {rig.world.company, "OTHERCO"}
            simulator.edit_bill(other.bills[0].record, description="edited")
            again = await rig.run(OTHER_URL=simulator.url)
            assert (again.json["delivered"], again.json["balanced"]) == (0, True), again.err
        await rig.check_exactly_once()
