"""Which session is current, and when it is renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from pipeline import ConfigError, Secret, SessionError, TransientError
from pipeline.testing.clock import ManualClock
from stages.intacct.session import Grant, SessionKey, Sessions, lifetime

KEY = SessionKey("https://api.intacct.com", "acme-ws", "acme", "", "", "sync", Secret("digest"))
NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
OVER = SessionError("the session is over", where="query of VENDOR", why="it expired", code="MLC-INTACCT-0107")


class SignIn:
    """Counts, and grants sessions of a given life."""

    def __init__(self, life: timedelta | None = None, error: Exception | None = None) -> None:
        self.life = life
        self.error = error
        self.count = 0

    async def __call__(self) -> Grant:
        self.count += 1
        await anyio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        return Grant(Secret(f"s-{self.count}"), "https://api.intacct.com/x", self.life)


async def test_a_session_is_used_again(clock: ManualClock) -> None:
    sessions, sign_in = Sessions(clock), SignIn()
    first = await sessions.current(KEY, sign_in)
    assert await sessions.current(KEY, sign_in) == first
    assert sign_in.count == 1


async def test_many_that_wait_share_one_sign_in(clock: ManualClock) -> None:
    sessions, sign_in = Sessions(clock), SignIn()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(sessions.current, KEY, sign_in)
    assert sign_in.count == 1


@pytest.mark.parametrize("other", ["entity", "client", "user", "company", "sender", "root", "passwords"])
async def test_a_session_serves_only_its_own_key(clock: ManualClock, other: str) -> None:
    sessions, sign_in = Sessions(clock), SignIn()
    await sessions.current(KEY, sign_in)
    fields = {name: getattr(KEY, name) for name in KEY.__struct_fields__}
    await sessions.current(SessionKey(**(fields | {other: "another"})), sign_in)
    assert sign_in.count == 2


@pytest.mark.parametrize(
    ("life", "minutes", "renewed"),
    [
        (None, 49, False),
        (None, 50, True),
        (timedelta(hours=8), 49, False),
        (timedelta(hours=8), 50, True),
        (timedelta(minutes=30), 27, False),
        (timedelta(minutes=30), 28, True),
        (timedelta(minutes=5), 4, False),
        (timedelta(minutes=5), 4.5, True),
    ],
)
async def test_a_session_is_renewed_before_either_limit(
    clock: ManualClock, life: timedelta | None, minutes: float, renewed: bool
) -> None:
    sessions, sign_in = Sessions(clock), SignIn(life)
    await sessions.current(KEY, sign_in)
    await clock.advance(minutes * 60)
    await sessions.current(KEY, sign_in)
    assert (sign_in.count == 2) is renewed


async def test_each_reply_pushes_the_deadline_out_but_not_past_50_minutes(clock: ManualClock) -> None:
    sessions, sign_in = Sessions(clock), SignIn(timedelta(minutes=10))
    session = await sessions.current(KEY, sign_in)
    for _ in range(6):
        await clock.advance(8 * 60)
        sessions.extend(KEY, session.generation, timedelta(minutes=10))
        await sessions.current(KEY, sign_in)
    assert sign_in.count == 1
    await clock.advance(3 * 60)
    await sessions.current(KEY, sign_in)
    assert sign_in.count == 2


async def test_dropping_an_old_generation_keeps_the_new_session(clock: ManualClock) -> None:
    sessions, sign_in = Sessions(clock), SignIn()
    old = await sessions.current(KEY, sign_in)
    sessions.drop(KEY, old.generation, OVER)
    new = await sessions.current(KEY, sign_in)
    sessions.drop(KEY, old.generation, OVER)
    assert await sessions.current(KEY, sign_in) == new
    assert sign_in.count == 2


async def test_after_three_sessions_good_for_nothing_no_other_is_asked_for_until_a_quarter_of_an_hour_later(
    clock: ManualClock,
) -> None:
    sessions, sign_in = Sessions(clock), SignIn()

    async def refused() -> None:
        session = await sessions.current(KEY, sign_in)
        sessions.drop(KEY, session.generation, OVER)
        sessions.drop(KEY, session.generation, OVER)  # another task was under it too

    for _ in range(3):
        await refused()
    for _ in range(5):
        with pytest.raises(SessionError, match="as soon as it has granted") as caught:
            await refused()
    assert (caught.value.code, caught.value.exit_code, caught.value.where) == ("MLC-INTACCT-0206", 4, OVER.where)
    await clock.advance(15 * 60)
    await refused()
    with pytest.raises(SessionError):
        await refused()
    assert sign_in.count == 4


async def test_sessions_that_were_of_use_are_asked_for_again_and_again(clock: ManualClock) -> None:
    sessions, sign_in = Sessions(clock), SignIn()
    for _ in range(10):
        session = await sessions.current(KEY, sign_in)
        sessions.extend(KEY, session.generation, None)
        sessions.drop(KEY, session.generation, OVER)
    assert sign_in.count == 10


async def test_a_refused_sign_in_is_never_tried_again(clock: ManualClock) -> None:
    sessions, sign_in = Sessions(clock), SignIn(error=ConfigError("refused", code="MLC-INTACCT-0106"))
    for _ in range(3):
        with pytest.raises(ConfigError, match="refused"):
            await sessions.current(KEY, sign_in)
    assert sign_in.count == 1


async def test_a_sign_in_that_failed_in_passing_is_tried_again(clock: ManualClock) -> None:
    sessions, sign_in = Sessions(clock), SignIn(error=TransientError("down"))
    for _ in range(2):
        with pytest.raises(TransientError):
            await sessions.current(KEY, sign_in)
    assert sign_in.count == 2


def test_the_shortest_sensible_lifetime_counts() -> None:
    beginnings = (NOW, NOW + timedelta(minutes=30), NOW + timedelta(hours=5), None)
    assert lifetime("2026-01-05T07:00:00+00:00", *beginnings) == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T08:10:00+00:00", timedelta(hours=2, minutes=10)),
        ("2026-01-05T00:10:00-08:00", timedelta(hours=2, minutes=10)),
        ("2026-01-05T05:00:00+00:00", None),
        ("2026-01-05T08:10:00", None),
        ("", None),
        ("soon", None),
    ],
)
def test_a_lifetime_is_read_with_its_offset(text: str, expected: timedelta | None) -> None:
    assert lifetime(text, NOW) == expected
