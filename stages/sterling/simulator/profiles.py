"""Named sets of switches: what a kind of installation is like."""

from __future__ import annotations

from collections.abc import Mapping

from stages.sterling.simulator.switches import HeaderKey, OAuth, Switches

INSIDE = "http://b2b-internal:5074"
"""Where a server behind a gateway believes itself to be; nobody outside reaches it."""

PROFILES: Mapping[str, Switches] = {
    "plain": Switches(),
    "awkward": Switches(
        lower_case_only=True,
        location_base=INSIDE,
        location_header=False,
        compress=True,
        max_rows=500,
        default_rows=20,
        empty_is_404=frozenset({"*"}),
        empty="html",
        unknown="html",
        newest_first=True,
        search_ignores_case=False,
        name_limit=100,
        duplicate_names="replace",
        extractions=1,
        purge_after=0.0,
        lag=0.3,
        clock_skew=-90.0,
        put_replaces=True,
        refuse_links=True,
        ordered_parts=True,
        password_minimum=12,
        dot_in_user_id=False,
        dash_in_group_members=False,
        lock_after=3,
        guarded={"useraccounts": "Accounts"},
    ),
    "tokens": Switches(
        location_base=INSIDE,
        oauth=OAuth(client_id="mlc", client_secret="simulated-secret", expires_in=60, basic_too=False),
    ),
    "gateway": Switches(
        prefix="/sbi/product/rest",
        location_base=INSIDE,
        header_key=HeaderKey(name="X-Gateway-Key", value="simulated-key"),
    ),
}
"""``plain`` is what public samples of the server show. ``awkward`` is every point at once on which installations differ, set against the client."""
