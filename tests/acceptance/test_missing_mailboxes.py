"""A mailbox that is not there, or not ours, stops its own lane with a clear alarm; all others are delivered, and it goes on once mended."""

from __future__ import annotations

from typing import Any

import pytest

from stages.sterling.simulator import open_mailbox

BILLS = 60


@pytest.mark.parametrize("upload", ["messagebatches", "documents"])
@pytest.mark.parametrize(("lack", "code"), [("mailbox", "MLC-STL-0310"), ("permission", "MLC-STL-0403")])
async def test_the_lane_stops_the_others_go_on_and_it_goes_on_once_mended(
    rigs: Any, reference: Any, upload: str, lack: str, code: str
) -> None:
    wanted = await reference(BILLS)
    box = max(wanted, key=lambda path: len(wanted[path]))
    async with rigs(BILLS) as rig:
        rig.set_connection("b2bi", f"upload: {upload}")
        hub = rig.sterling.hub
        if lack == "mailbox":
            hub.remove_mailbox(hub.paths[box])
        else:
            hub.groups["AP_CONNECTOR"].discard(f"{box} Mailbox")
        told = await rig.run()
        assert (told.code, told.json["balanced"]) == (5, True)
        assert code in told.err
        assert box in told.err
        assert rig.far.mailboxes() == {path: sets for path, sets in wanted.items() if path != box}
        assert told.json["in_flight"] > 0 == told.json["in_doubt"] == told.json["dead"]
        if lack == "mailbox":
            open_mailbox(hub, box)
        else:
            hub.groups["AP_CONNECTOR"].add(f"{box} Mailbox")
        assert (await rig.run()).json["balanced"]
        await rig.check_as_if_nothing_had_happened(wanted)
