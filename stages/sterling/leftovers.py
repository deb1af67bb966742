"""What names that a partner had before, or partners that nobody wants, have left behind: routing rules and codes.

Two automatic rules for one mailbox start the process twice for each message, and a code that stands for two partners makes a look-up ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from stages.ap.partner import TradingPartner
from stages.ap.partners import far_name
from stages.sterling.config import PartnerSettings
from stages.sterling.partner_view import Directory
from stages.sterling.protocol import belongings, partner

Row = Mapping[str, Any]


class Leftovers:
    """Finds them in what the directory lists. Reads only."""

    def __init__(self, directory: Directory, settings: PartnerSettings) -> None:
        self._directory, self._settings = directory, settings
        self._index: tuple[Any, dict[tuple[int, str], list[belongings.Pair]]] = (None, {})

    async def before(self, wanted: TradingPartner, row: Row) -> list[TradingPartner]:
        """The partner as it was under each code that it had before and that nobody else has now; its vendors are those of today."""
        there = await self._directory.partners()
        own = partner.name_of(row)
        free = [code for code in wanted.formerly if all(partner.name_of(each) == own for each in there.get(code, ()))]
        return [msgspec.structs.replace(wanted, code=code, name=far_name(code)) for code in free]

    async def twins(self, wanted: Row) -> list[str]:
        """Rules of other names that do for its mailbox what the wanted rule does."""
        rules = await self._directory.rules()
        watching = rules.watching(wanted["mailboxes"][0]) if rules is not None else []
        return [
            row["name"] for row in watching if row["name"] != wanted["name"] and belongings.does_the_same(wanted, row)
        ]

    async def also_for(self, pair: belongings.Pair) -> list[str]:
        """The receivers that a vendor, who is the sender of this code, has besides this one."""
        if "{vendor}" not in self._settings.codes.sender_code:
            return []
        _, there = await self._directory.codes(self._settings.codes)
        return [other for sender, other in self._sides(there).get((0, pair[0]), ()) if other != pair[1]]

    async def of(self, code: str, name: str) -> list[str]:
        """The rule and the codes of a partner that nobody wants, as far as the templates tell by its code or name."""
        known = {"code": code, "name": name}
        return [*await self._rules(known), *await self._codes(known)]

    async def _rules(self, known: Mapping[str, str]) -> list[str]:
        settings = self._settings.rule
        rule = _told(settings.name, known) if settings.action else ""
        rules = await self._directory.rules() if rule else None
        row = rules.named.get(rule) if rules is not None else None
        return [f"rule {rule}"] if row is not None and belongings.is_automatic(row) else []

    async def _codes(self, known: Mapping[str, str]) -> list[str]:
        settings = self._settings.codes
        wanted = [_told(settings.sender_code, known), _told(settings.receiver_code, known)]
        if not settings.list or not any(wanted):
            return []
        code_list, there = await self._directory.codes(settings)
        sides = self._sides(there)
        found = [set(sides.get((place, text), ())) for place, text in enumerate(wanted) if text]
        return [f"code {code_list}|{'|'.join(pair)}" for pair in sorted(set.intersection(*found))]

    def _sides(self, there: Mapping[belongings.Pair, Row]) -> dict[tuple[int, str], list[belongings.Pair]]:
        """The codes by what they have as sender (0) and as receiver (1)."""
        if self._index[0] is not there:
            sides: dict[tuple[int, str], list[belongings.Pair]] = {}
            for pair in there:
                for side in enumerate(pair):
                    sides.setdefault(side, []).append(pair)
            self._index = there, sides
        return self._index[1]


def _told(template: str, known: Mapping[str, str]) -> str:
    """The template filled in; empty where it does not tell by code or name, or needs to know more."""
    needed = set(re.findall(r"\{(\w+)\}", template))
    return belongings.fill(template, known) if needed and needed <= known.keys() else ""
