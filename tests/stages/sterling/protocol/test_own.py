"""Which messages of a mailbox are ours."""

from __future__ import annotations

import pytest

from stages.sterling.protocol.own import Own

ISA = "ISA*00*          *00*          *{0}*{1:<15}*ZZ*THEM           *261124*0600*U*00401*000000007*0*P*>~"
OURS = ISA.format("ZZ", "US") + "GS*IN*US*THEM*20261124*0600*1*X*004010~GE*0*1~IEA*1*000000007~"
ANSWER = ISA.format("01", "THEM") + "GS*FA*THEM*US*20261124*0600*1*X*004010~GE*0*1~IEA*1*000000007~"
OWN = Own("mlc", frozenset({("ZZ", "US")}))


@pytest.mark.parametrize(
    ("content", "ours"),
    [
        (OURS, True),
        (f"\r\n{OURS}\r\n", True),
        (ANSWER, False),
        (f"{OURS}\r\n{ANSWER}", False),
        (f"Your file could not be processed: unknown store 0042\r\n{OURS}", False),
        (f"error;segment\r\n{OURS[:200]}", False),
    ],
    ids=[
        "what we sent",
        "with blank lines",
        "an answer",
        "our file and an answer",
        "a notice that quotes it",
        "a piece of it",
    ],
)
def test_what_a_partner_writes_is_not_ours_because_it_quotes_us(content: str, ours: bool) -> None:
    assert bool(OWN.tells("a.edi", content.encode(), "0" * 64)) is ours
