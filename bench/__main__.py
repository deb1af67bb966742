"""``python -m bench [engine ledger backfill x12 x12_encode intacct intacct_source sterling sterling_partners] [--json]``: prints ratios measured in this run; exits 1 when a bar is missed."""

from __future__ import annotations

import argparse
import importlib
import json
import sys

from bench.measure import Ratio

BENCHES = (
    "engine",
    "ledger",
    "backfill",
    "x12",
    "x12_encode",
    "intacct",
    "intacct_source",
    "sterling",
    "sterling_partners",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios measured side by side in one run.")
    parser.add_argument("benches", nargs="*", help=f"which: {', '.join(BENCHES)}; all when none is named")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    unknown = [name for name in options.benches if name not in BENCHES]
    if unknown:
        parser.error(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    ratios: list[Ratio] = []
    for name in options.benches or BENCHES:
        measured = importlib.import_module(f"bench.{name}").run()
        ratios += measured
        if not options.json:
            for ratio in measured:
                print(line(ratio), flush=True)
    if options.json:
        print(
            json.dumps(
                {
                    "schema": "mlc.bench/1",
                    "ratios": [as_json(ratio) for ratio in ratios],
                    "holds": all(r.holds for r in ratios),
                }
            )
        )
    return 0 if all(ratio.holds for ratio in ratios) else 1


def line(ratio: Ratio) -> str:
    bar = "no bar yet" if ratio.bar is None else f"at most {ratio.bar:g}: {'holds' if ratio.holds else 'MISSED'}"
    rate = f"; {ratio.units / ratio.ours_seconds:,.0f} a second here" if ratio.units else ""
    return f"{ratio.bench:<9} {ratio.ratio:6.2f} x  {ratio.what}\n{'':<20}floor: {ratio.floor}; {bar}{rate}"


def as_json(ratio: Ratio) -> dict[str, object]:
    return {
        "bench": ratio.bench, "what": ratio.what, "floor": ratio.floor, "ratio": round(ratio.ratio, 3), "bar": ratio.bar,
        "holds": ratio.holds, "units": ratio.units, "ours_seconds": round(ratio.ours_seconds, 4), "floor_seconds": round(ratio.floor_seconds, 4),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
