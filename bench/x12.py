"""X12: reading and validating 5,000 invoices of about 20 segments, against splitting the same bytes into segments and elements.

Splitting is what any reader does at the very least: ``bytes`` to text, text to segments, each segment to elements.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal

from bench.measure import Ratio, best_of, seconds
from stages.x12.checking.validator import findings
from stages.x12.reading.reader import events

INVOICES = 5_000
ROUNDS = 5
CHUNK = 1 << 16


def run() -> list[Ratio]:
    payload = interchange(INVOICES, random.Random(7))
    segments = payload.count(b"~")
    chunks = [payload[i : i + CHUNK] for i in range(0, len(payload), CHUNK)]
    assert list(findings(chunks)) == []
    return [
        _measured(f"reading {INVOICES:,} invoices, {segments:,} segments", 4.0, payload, lambda: drain(events(chunks))),
        _measured(f"validating {INVOICES:,} invoices in full", 15.0, payload, lambda: drain(findings(chunks))),
    ]


def _measured(what: str, bar: float, payload: bytes, work: Callable[[], None]) -> Ratio:
    ours, base = best_of(ROUNDS, lambda: seconds(work), lambda: seconds(lambda: split(payload)))
    return Ratio(
        bench="x12",
        what=what,
        floor="splitting the same bytes into segments and elements",
        ours_seconds=ours,
        floor_seconds=base,
        units=INVOICES,
        bar=bar,
    )


def split(payload: bytes) -> int:
    """The floor: keeps nothing, as our reader keeps nothing."""
    count = 0
    for segment in payload.decode("ascii").split("~"):
        count += len(segment.split("*"))
    return count


def drain(items: Iterable[object]) -> None:
    """Take everything and keep nothing."""
    deque(items, maxlen=0)


def interchange(invoices: int, rng: random.Random) -> bytes:
    """One interchange with one group of 810s: each its own numbers, dates, parties, items and prices, and a total that adds up."""
    head = "ISA*00*          *00*          *ZZ*HARBORVALE     *01*0812345678     *250131*1200*U*00401*000000017*0*P*>~"
    parts = [head, "GS*IN*HARBORVALE*0812345678*20250131*1200*4*X*004010~"]
    parts += [invoice(number, rng) for number in range(1, invoices + 1)]
    parts.append(f"GE*{invoices}*4~IEA*1*000000017~")
    return "".join(parts).encode("ascii")


def invoice(number: int, rng: random.Random) -> str:
    """About 20 segments from ST to SE."""
    day = date(2024, 1, 1) + timedelta(days=rng.randrange(500))
    due = day + timedelta(days=30)
    body = [
        f"ST*810*{number:04d}",
        f"BIG*{day:%Y%m%d}*INV-{rng.randrange(10**8):08d}**PO-{rng.randrange(10**6)}***DI*00",
        "CUR*BY*USD",
        f"REF*IA*V-{rng.randrange(10**5):05d}",
        f"REF*VV*{rng.randrange(10**7)}",
        "N1*BY*HARBORVALE FOODS*92*HV01",
        f"N1*RE*SUPPLIER {rng.randrange(10**4)} LLC*92*V{rng.randrange(10**5)}",
        f"N3*{rng.randrange(9999)} MAIN ST",
        f"N4*SPRINGFIELD*IL*{rng.randrange(10**5):05d}*US",
        f"ITD*01*3****{due:%Y%m%d}*30",
    ]
    total, lines = Decimal(0), rng.randrange(2, 6)
    for line in range(1, lines + 1):
        quantity, price = rng.randrange(1, 500), Decimal(rng.randrange(100, 99999)).scaleb(-2)
        total += quantity * price
        shown = format(price, "f").rstrip("0").rstrip(".")
        body.append(f"IT1*{line}*{quantity}*{rng.choice(('EA', 'CA', 'LB'))}*{shown}**IN*SKU{rng.randrange(10**6)}")
        body.append(f"PID*F****ITEM {rng.randrange(10**6)} FRESH")
    body += [f"TDS*{int(total * 100)}", f"CTT*{lines}"]
    body.append(f"SE*{len(body) + 1}*{number:04d}")
    return "~".join(body) + "~"
