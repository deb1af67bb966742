"""Which empty mailboxes are asked for: each in its turn, soon enough."""

from __future__ import annotations

import pytest

from stages.sterling.due import due_in
from stages.sterling.turns import A_TURN, Turn, turn_in

MANY = [f"/p{n:03d}/=,;in" for n in range(3 * A_TURN + 7)]


def test_the_first_time_all_are_asked_for() -> None:
    assert Turn().chosen(MANY) == MANY
    assert Turn().done(MANY, MANY, ()) == Turn(MANY[-1])


def test_each_is_asked_for_once_a_round_and_the_cursor_remembers_where_it_is() -> None:
    turn, asked = Turn(MANY[-1]), []
    for _ in range(4):
        chosen = turn.chosen(MANY)
        asked += chosen
        turn = turn_in(turn.done(MANY, chosen, ()).cursor)
        assert len(chosen) == A_TURN
    assert set(asked) == set(MANY)
    assert len(asked) - len(set(asked)) == A_TURN - 7


def test_few_are_all_asked_for_every_time() -> None:
    assert sorted(Turn("/p002").chosen(MANY[:5])) == MANY[:5]


def test_what_was_refused_is_asked_for_every_time_and_takes_no_place_of_another() -> None:
    turn = Turn(MANY[2], frozenset([MANY[0], MANY[-1]]))
    chosen = turn.chosen(MANY)
    assert chosen == [*MANY[3 : 3 + A_TURN], MANY[0], MANY[-1]]
    after = turn.done(MANY, chosen, [MANY[0]])
    assert after == turn_in(after.cursor) == Turn(MANY[2 + A_TURN], frozenset([MANY[0]]))


@pytest.mark.parametrize("empty", [[], MANY[:1]])
def test_a_round_of_none_or_one_ends(empty: list[str]) -> None:
    turn = Turn("/zzz")
    assert turn.done(empty, turn.chosen(empty), ()).asked == (empty or ["/zzz"])[-1]


def test_paths_in_a_cursor_are_not_taken_for_what_is_due() -> None:
    turn = Turn(MANY[0], frozenset(MANY[:2]))
    assert due_in({"due": "5=3", **turn.cursor}) == {"5": 3}
