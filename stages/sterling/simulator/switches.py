"""The switches of the simulated server: one for each point on which real installations differ or nothing public is known.

The defaults are the awkward choice wherever a correct client must survive it anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Absent = Literal["json", "html", "empty", "refused"]
"""How a server says that there is nothing: 404 with its error object, with a page, without a body, or 400 "No records found"."""


class OAuth(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway in front that hands out bearer tokens (client credentials). ``expires_in`` is seconds on the simulator's clock.

    ``style`` is how the client must identify itself; ``basic_too`` keeps Basic working beside the tokens. ``scope`` must be among the
    scopes that a token is asked for, ``write_scope`` among those of a token that is to do more than read.
    """

    client_id: str
    client_secret: str
    path: str = "/oauth2/token"  # outside the prefix of the APIs, as with every gateway
    expires_in: int = 3600
    scope: str = ""
    write_scope: str = ""
    audience: str = ""
    style: Literal["header", "body", "either"] = "either"
    basic_too: bool = True


class HeaderKey(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway in front that lets in who sends its key, and calls the APIs as the connector's account. ``basic_too`` as in `OAuth`."""

    name: str
    value: str
    basic_too: bool = False


class Switches(msgspec.Struct, frozen=True, kw_only=True):
    """How this server behaves. Build a variant with ``Switches(name_limit=100, ...)``."""

    prefix: str = "/B2BAPIs/svc"
    lower_case_only: bool = False  # 404 for collections and actions in any other spelling
    location_base: str = (
        ""  # what Location and href start with; "" = the real address. Gateways leave an internal host here
    )
    location_header: bool = True  # whether 201 carries the header next to the body
    compress: bool = False  # gzip for clients that accept it
    max_body: int = 64 * 1024 * 1024

    max_rows: int = 1000  # widest `_range` window
    default_rows: int = 1000  # the window when `_range` is absent
    empty_is_404: frozenset[str] = frozenset({"routingchannels"})  # "*": all
    empty: Absent | Literal["none"] = "json"  # how those say so; none: 204
    unknown: Absent = "json"  # what is answered for ids that are not there
    newest_first: bool = False  # the order of message lists
    search_ignores_case: bool = True  # database collation decides this on a real server

    name_limit: int = 255  # of message names; 100 on one database
    duplicate_names: Literal["allow", "replace"] = "allow"  # replace: the older message of that name is dropped first
    extractions: int = 0  # how often a new message may be extracted; 0: without a limit, as public samples show it
    extracted: Literal["json", "raw", "empty", "none"] = "json"  # what an extraction answers; raw: its bytes; none: 204
    purge_after: float | None = (
        None  # seconds after which one that cannot be extracted any more is gone; its document stays
    )
    ordered_parts: bool = False  # whether a batch of one file must name it before its mailbox; several always must
    batches_status: Literal[0, 404, 405] = 0  # what `messagebatches` answers on levels that lack it; 0: it works
    document_name: str = "documentName"  # member names of a document's creation: not public, so a setting
    document_payload: str = "payload"
    lag: float = 0.0  # seconds until a new message shows in lists
    clock_skew: float = 0.0  # seconds added to every timestamp shown

    put_replaces: bool = (
        False  # a PUT of a partner or user empties the optional members, or lists, that it does not name
    )
    refuse_links: bool = (
        False  # a body that holds what only reads have (`_id`, `href` and so on) is refused, not taken without them
    )
    password_minimum: int = 6
    dot_in_user_id: bool = True  # old levels refuse it
    dash_in_group_members: bool = (
        True  # old levels refuse it (and all but letters, digits, underscore) in partner groups
    )
    lock_after: int = 0  # wrong passwords in a row that lock an account; 0: none does
    lock_seconds: float = 900.0

    guarded: Mapping[str, str] = {}
    """Permissions beyond APIUser that collections want: by ``"useraccounts"``, or by ``"POST useraccounts"`` for one method."""

    oauth: OAuth | None = None
    header_key: HeaderKey | None = None
