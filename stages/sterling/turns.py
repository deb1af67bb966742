"""Which empty mailboxes are asked for in a run: a few in turn, and those that were refused before. Pure.

The list of all messages leaves out in silence what the account may not read, so that only a mailbox itself tells whether it is empty or
forbidden. To ask each of a thousand at every poll would cost a thousand calls to learn nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

A_TURN = 50
"""Mailboxes: of a thousand, polled every two minutes, each is asked for within forty minutes."""

ASKED, REFUSED = "asked", "refused"
"""Their members in a cursor."""


class Turn(msgspec.Struct, frozen=True):
    """Where the last turn ended, and which mailboxes were refused by then; by folded paths."""

    asked: str = ""
    refused: frozenset[str] = frozenset()

    def chosen(self, empty: Collection[str]) -> list[str]:
        """The next ones in turn, round and round, and those that were refused. The first time all of them: nothing is known yet."""
        paths = sorted(empty)
        if not self.asked:
            return paths
        turned = [path for path in paths if path > self.asked] + [path for path in paths if path <= self.asked]
        return list(dict.fromkeys([*turned[:A_TURN], *filter(self.refused.__contains__, paths)]))

    def done(self, empty: Collection[str], asked: Sequence[str], refused: Collection[str]) -> Turn:
        """After ``asked``, which is what was chosen or more."""
        whole = len(asked) == len(empty)
        last = max(empty, default=self.asked) if whole else asked[min(A_TURN, len(asked)) - 1]
        return Turn(last, frozenset(refused))

    @property
    def cursor(self) -> dict[str, str]:
        told = {ASKED: self.asked, REFUSED: "\n".join(sorted(self.refused))}
        return {name: text for name, text in told.items() if text}


def turn_in(cursor: Mapping[str, str] | None) -> Turn:
    """The turn that a cursor keeps."""
    kept = cursor or {}
    return Turn(kept.get(ASKED, ""), frozenset(filter(None, kept.get(REFUSED, "").split("\n"))))
