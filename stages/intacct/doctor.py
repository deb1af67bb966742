"""What `doctor` finds out about an Intacct connection, step by step: so that one number with many meanings is told as the one it has.

The gateway refuses a wrong sender before it looks at the user, and an unknown session before it looks at anything else: so the first
question comes without the user, and only the second can count against it. No more than two sign-ins are tried, since a company may
lock a user after a few. Nothing is changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from pipeline import ConfigError, ConnectorError, Context, Diagnosis, Duration, StageError, Tell
from stages.intacct.client import NotReached
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.protocol.faults import SAYS, HttpRefused
from stages.intacct.protocol.paging import STAMP
from stages.intacct.protocol.query import Compare, Query
from stages.intacct.protocol.times import read_wall, to_wall
from stages.intacct.protocol.zones import spoken
from stages.intacct.zoning import CREATED, zone_of

REFUSED = ("MLC-INTACCT-0103", "MLC-INTACCT-0106")
"""The sign-in was refused without a reason of its own: user, password, company or entity."""
ABOUT = {
    "MLC-INTACCT-0102": "company",
    "MLC-INTACCT-0104": "company",
    "MLC-INTACCT-0105": "sender authorisation",
    "MLC-INTACCT-0109": "user",
    "MLC-INTACCT-0113": "endpoint",
    "MLC-INTACCT-0114": "endpoint",
}
"""What a refusal of the sign-in is about, where its code says more than that."""
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
TOLERATED = timedelta(minutes=2)
WRONG = timedelta(hours=1)
LISTED = 20
PATIENCE = Duration(60)


async def diagnose_connection(config: IntacctConfig, context: Context, tell: Tell) -> bool:
    """Reach, sender, user, company and entity, clock and time zone. Whether its stages can be checked."""
    _settings(config, tell)
    async with open_intacct(_impatient(config), context) as client:
        context.watch(client)
        if not (await _greet(client, context, tell) and await _sign_in(client, context, tell)):
            return False
        await _clock(client, context, tell)
        await _time_zone(client, tell)
    return True


def _impatient(config: IntacctConfig) -> IntacctConfig:
    """The same connection for someone who waits at the screen: what takes longer than this would not do for a run either."""
    return msgspec.structs.replace(
        config,
        read_timeout=min(config.read_timeout, PATIENCE),
        total_timeout=min(config.total_timeout, PATIENCE),
        patience=Duration(0),
    )


def _settings(config: IntacctConfig, tell: Tell) -> None:
    """A blank at either end is nearly always pasted, and the gateway takes it as part of the text."""
    texts = {
        "sender_id": config.sender_id, "sender_password": config.sender_password.reveal(), "company_id": config.company_id,
        "user_id": config.user_id, "user_password": config.user_password.reveal(), "location_id": config.location_id,
    }  # fmt: skip
    blank = [name for name, text in texts.items() if text != text.strip()]
    if blank:
        problem = ConfigError(
            "Settings begin or end with a blank", where=f"company {config.company}", why=f"{', '.join(blank)}; the gateway takes it as part of the text",
            mend="remove the blank where the value is kept, unless it belongs to it", code="MLC-INTACCT-0150",
        )  # fmt: skip
        tell(Diagnosis.warning("settings", problem))


async def _greet(client: IntacctClient, context: Context, tell: Tell) -> bool:
    """Is the gateway there, and does it know our sender? Asked without the user, who cannot be locked by it."""
    try:
        known = await client.greet()
    except NotReached as error:
        tell(Diagnosis.failed("reach", _beside_proxy(error, context)))
    except HttpRefused as error:
        return await _refused_greeting(client, error, tell)
    except StageError as error:
        tell(Diagnosis.failed("reach", error))
    else:
        tell(Diagnosis.ok("reach", f"{client.address} answers as the gateway does"))
        if known is None:
            tell(Diagnosis.ok("sender", f"{client.config.sender_id} is known"))
            return True
        tell(Diagnosis.failed(ABOUT.get(known.code, "sender"), known))
    return False


async def _refused_greeting(client: IntacctClient, error: HttpRefused, tell: Tell) -> bool:
    """Something refuses the question: it may be the address that is wrong, or a guard who lets nobody in without a user."""
    try:
        await client.sign_in()
    except HttpRefused:
        tell(Diagnosis.failed("reach", error))
        return False
    except StageError:
        pass  # the sign-in has a line of its own
    tell(Diagnosis.ok("reach", f"{client.address} answers as the gateway does"))
    tell(Diagnosis.skipped("sender", "it cannot be tried without the user here"))
    return True


def _beside_proxy(error: NotReached, context: Context) -> ConnectorError:
    """A machine that only gets out through a proxy: connections are made directly, whatever the variables say."""
    named = [name for name in PROXIES if context.environment.get(name)]
    if not named:
        return error
    return NotReached(
        error.what, where=error.where, why=f"{error.why}; {named[0]} is set here, but ml-connector connects directly",
        mend="let this machine reach the gateway directly (https, port 443)", owner=error.owner, code=error.code,
    )  # fmt: skip


# --- signing in ----------------------------------------------------------------------------------------------------------


async def _sign_in(client: IntacctClient, context: Context, tell: Tell) -> bool:
    config = client.config
    try:
        await client.sign_in()
    except StageError as error:
        tell(Diagnosis.failed(ABOUT.get(error.code, "sign-in"), error) if error.code not in REFUSED else await _refused(client, error, context))  # fmt: skip
        return False
    place = f"entity {config.location_id}" if config.location_id else "the top level"
    tell(Diagnosis.ok("sign-in", f"{config.user_id} may enter {config.company_id}, {place}"))
    tell(Diagnosis.ok("sender authorisation", f"{config.company_id} has authorised {config.sender_id}"))
    return True


async def _refused(client: IntacctClient, error: StageError, context: Context) -> Diagnosis:
    """A refusal that names no reason. With an entity, one more sign-in without it tells whether it is the entity."""
    if not client.config.location_id:
        return Diagnosis.failed("sign-in", _user_or_company(error, ""))
    top = msgspec.structs.replace(client.config, location_id="")
    async with open_intacct(top, context) as without:
        context.watch(without)
        try:
            await without.sign_in()
        except StageError:
            return Diagnosis.failed("sign-in", _user_or_company(error, "; it is not the entity, since without it the sign-in is refused too"))  # fmt: skip
        return Diagnosis.failed("entity", _wrong_entity(client.config, error, await _entities(without)))


def _user_or_company(error: StageError, more: str) -> ConfigError:
    _, says, words = error.why.partition(SAYS)
    said = says + words
    return ConfigError(
        "Intacct refuses the sign-in: the user, its password or the company is wrong", where=error.where,
        why=f"the sender is right, and the gateway does not say which of the three it is{more}{said}",
        mend="check company_id (INTACCT_COMPANY_ID) letter by letter, then user_id and user_password; see in Intacct that the user is active, not locked, "
        "and that its password has not expired",
        code=error.code,
    )  # fmt: skip


def _wrong_entity(config: IntacctConfig, error: StageError, entities: list[str]) -> ConfigError:
    listed = f"; there are {', '.join(entities)}" if entities else ""
    return ConfigError(
        f"The entity {config.location_id} is not there, or this user may not enter it", where=error.where,
        why="the same user, password and company are let in without the entity",
        mend=f"correct location_id (INTACCT_LOCATION_ID){listed}; or an Intacct administrator lets the user into that entity",
        code="MLC-INTACCT-0117",
    )  # fmt: skip


async def _entities(client: IntacctClient) -> list[str]:
    """The first entities, when the user may see them."""
    try:
        data = await client.query(
            Query(
                object="LOCATIONENTITY", fields=("LOCATIONID",), order=("LOCATIONID",), page_size=LISTED, private=True
            )
        )
    except StageError:
        return []
    return [row["LOCATIONID"] or "" for row in data.rows] + (["..."] if data.more else [])


# --- time ----------------------------------------------------------------------------------------------------------------


async def _clock(client: IntacctClient, context: Context, tell: Tell) -> None:
    skew = await client.server_now() - context.clock.now()
    seconds = f"{abs(skew).total_seconds():,.0f} s"
    if abs(skew) <= TOLERATED:
        tell(Diagnosis.ok("clock", f"{seconds} from Intacct's"))
        return
    problem = ConfigError(
        f"The clock of this machine is {seconds} {'behind' if skew > timedelta() else 'ahead of'} Intacct's", where=client.host,
        why="reading goes by Intacct's clock and is not harmed; but documents carry this machine's time, and so do the deadlines of acknowledgements",
        mend="set the clock right, and keep it right with NTP", code="MLC-INTACCT-0151",
    )  # fmt: skip
    tell(Diagnosis.failed("clock", problem) if abs(skew) > WRONG else Diagnosis.warning("clock", problem))


async def _time_zone(client: IntacctClient, tell: Tell) -> None:
    """What the records tell of the zone, as a run with --since would find it; and that none was changed in its future."""
    zone, where = client.config.zone, f"company {client.config.company}"
    try:
        told = await zone_of(client, where)
    except ConfigError as error:
        # Without a zone only windows of times are refused, and nobody may ever ask for one.
        tell(Diagnosis.failed("time zone", error) if zone else Diagnosis.warning("time zone", error))
        return
    except StageError as error:
        tell(Diagnosis.failed("time zone", error))
        return
    if zone is None:
        tell(Diagnosis.ok("time zone", f"{told}, measured from the newest records"))
        return
    newest = await _newest(client)
    if newest is None:
        tell(Diagnosis.skipped("time zone", "there is no vendor or bill to compare with"))
        return
    here = to_wall(await client.server_now(), zone)
    if newest - here <= TOLERATED:
        fits = f"fits the newest change, {newest:%Y-%m-%d %H:%M:%S} there"
        tell(Diagnosis.ok("time zone", f"{client.config.timezone} {fits}"))
        return
    tell(Diagnosis.failed("time zone", _in_the_future(client.config, newest, here)))


def _in_the_future(config: IntacctConfig, newest: datetime, here: datetime) -> ConfigError:
    return ConfigError(
        f"Intacct's times are not those of {config.timezone}", where=f"company {config.company}",
        why=f"the newest change is of {newest:%Y-%m-%d %H:%M:%S}, and in {config.timezone} it is {here:%H:%M:%S} now: at least {spoken(newest - here)} lie between",
        mend="set the connection's `timezone` (INTACCT_TIMEZONE) to the zone of the API user's profile; it decides what --since and --until mean",
        code="MLC-INTACCT-0152",
    )  # fmt: skip


async def _newest(client: IntacctClient) -> datetime | None:
    """The wall time of the last change of a vendor or bill that the user may see."""
    found = [await _last_change(client, name) for name in CREATED]
    return max((each for each in found if each is not None), default=None)


async def _last_change(client: IntacctClient, name: str) -> datetime | None:
    question = Query(
        object=name, fields=("RECORDNO", STAMP), filter=Compare("isnotnull", STAMP), order=(STAMP,), newest_first=True, page_size=1,
        private=not client.config.location_id,
    )  # fmt: skip
    try:
        data = await client.query(question)
        return read_wall(data.rows[0].get(STAMP) or "", client.config.zone or UTC) if data.rows else None
    except (StageError, ValueError):
        return None
