"""Where the trading partners that a flow wants and those that Sterling has are not the same, in both directions. It reads only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from pipeline import Drift
from stages.ap.partner import TradingPartner, merged_into
from stages.sterling.leftovers import Leftovers
from stages.sterling.partner_view import Directory
from stages.sterling.protocol import partner
from stages.sterling.protocol.representations import text_of
from stages.sterling.provision import Provision

Row = Mapping[str, Any]

MOST_NAMED = 5
Listed = Mapping[str, list[dict[str, str]]]
"""What is remembered of the partners there, by code."""


class Comparison:
    """Compares by the lists; a partner is read by itself only where its row in the list leaves something out."""

    def __init__(
        self,
        directory: Directory,
        provision: Provision,
        leftovers: Leftovers,
        read: Callable[[str], Awaitable[Row | None]],
    ) -> None:
        self._directory = directory
        self._provision = provision
        self._leftovers = leftovers
        self._read = read

    async def drift(self, wanted: Sequence[TradingPartner], left_out: Mapping[str, str], community: str) -> list[Drift]:
        """Every difference, those of wanted partners first. Extra is what is too many in the communities that are used here."""
        there = await self._directory.partners()
        names = _by_name(there)
        found = [drift for state in wanted if (drift := await self._of(state, there, names)) is not None]
        communities = {community, *(state.community for state in wanted)} - {""}
        extra = _unwanted(wanted, there, communities, left_out)
        return found + [await self._with_leftovers(drift) for drift in extra]

    async def _with_leftovers(self, extra: Drift) -> Drift:
        """What is too many, with the rule and the codes that go with it."""
        left = await self._leftovers.of(extra.key, extra.name)
        return msgspec.structs.replace(extra, note=f"{extra.note}; {_few(left)} are its too") if left else extra

    async def _of(self, wanted: TradingPartner, there: Listed, names: Mapping[str, str]) -> Drift | None:
        rows = next((there[code] for code in (wanted.code, *wanted.formerly) if code in there), [])
        if len(rows) > 1:
            shared = ", ".join(sorted(map(partner.name_of, rows)))
            note = "several trading partners have this code"
            return Drift(kind="differs", key=wanted.code, name=shared, note=note)
        row = await self._whole(wanted, rows[0]) if rows else None
        if row is not None:
            return await self._differs(wanted, row)
        missing = Drift(kind="missing", key=wanted.code, note=f"of {wanted.display_name or 'no name'}")
        return (_taken(wanted, there, names) or missing) if wanted.active else None

    async def _whole(self, wanted: TradingPartner, listed: dict[str, str]) -> Row | None:
        untold = any(member not in listed for member in partner.differences(wanted, listed))
        return await self._read(partner.name_of(listed)) if untold else listed

    async def _differs(self, wanted: TradingPartner, row: Row) -> Drift | None:
        steps = [step async for step in self._provision.steps(wanted, row, half_made=False)]
        fields = {name: (value, text_of(row.get(name))) for name, value in partner.differences(wanted, row).items()}
        twins = await self._provision.twins(wanted, row)
        if not fields and not steps and not twins:
            return None
        notes = [f"to be made or changed: {', '.join(map(str, steps))}"] if steps else []
        notes += [step.note for step in steps if step.note]
        notes += [f"started twice for each message: {_few(twins)} does what its own rule does"] if twins else []
        note = "; ".join(notes)
        return Drift(kind="differs", key=wanted.code, name=partner.name_of(row), fields=fields, note=note)


def _few(told: Sequence[str]) -> str:
    more = len(told) - MOST_NAMED
    return ", ".join(told[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _taken(wanted: TradingPartner, there: Listed, names: Mapping[str, str]) -> Drift | None:
    """The partner that bears the name ours would get, under another code: most likely ours, whose code somebody changed."""
    other = _holder(wanted, there, names)
    if other is None:
        return None
    held = f"code {other}" if other else "a partner without a code"
    back = f"set its code to {wanted.code} in Sterling"
    mend = f"name {other} in `trading_partner.formerly` of its partner file, or {back}" if other else back
    note = f"its name is taken by {held}; if that is the same company, {mend}"
    return Drift(kind="differs", key=wanted.code, name=wanted.name, fields={"code": (wanted.code, other)}, note=note)


def _by_name(there: Listed) -> dict[str, str]:
    """The code of each partner there by its name."""
    return {partner.name_of(row): code for code, rows in there.items() for row in rows}


def _holder(wanted: TradingPartner, there: Listed, names: Mapping[str, str]) -> str | None:
    """The code under which the name of a partner that is missing is there."""
    return None if any(code in there for code in (wanted.code, *wanted.formerly)) else names.get(wanted.name)


def _unwanted(
    wanted: Sequence[TradingPartner],
    partners: Mapping[str, list[dict[str, str]]],
    communities: Collection[str],
    left_out: Mapping[str, str],
) -> list[Drift]:
    """The partners of these communities that no wanted state stands for, each with why, as far as that is known."""
    codes = {state.code for state in wanted}
    vendors = {vendor: state for state in wanted for vendor in state.vendors}
    # A partner under a former code is not too many as long as it is still to be taken over.
    awaited = {code for state in wanted if state.code not in partners for code in state.formerly if code in partners}
    # Whoever carries a merged partner is chosen by what the ledger knows: one whose first vendor is left out is not compared.
    merged = {code for code in partners if merged_into(code) in left_out.values()}
    names = _by_name(partners)
    told = {state.name for state in wanted if state.active and _holder(state, partners, names) is not None}
    found = []
    for code, rows in partners.items():
        for row in rows if code not in codes | awaited | merged else ():
            if row.get("community") in communities and partner.name_of(row) not in told:
                note = _why_unwanted(code, vendors, left_out)
                found.append(Drift(kind="extra", key=code, name=partner.name_of(row), note=note))
    return found


def _why_unwanted(code: str, vendors: Mapping[str, TradingPartner], left_out: Mapping[str, str]) -> str:
    if code in vendors:
        return f"the vendor is merged into partner {vendors[code].code} now"
    if code in left_out:
        return f"the flow leaves its vendor out: {left_out[code]}"
    return "no vendor has this code" if code else "it has no code"
