"""What the connection's own account may: administrators are recognised here, from what ``useraccounts`` says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline import ConfigError
from stages.sterling.protocol.representations import names


def administrator_rights(account: Any, pattern: str) -> list[str]:
    """Group and permission names that make an administrator. A mailbox's permission is named after its path: not looked at."""
    if not isinstance(account, Mapping):
        return []
    permissions = [name for name in names(account.get("permissions")) if not name.endswith(" Mailbox")]
    return [name for name in names(account.get("groups")) + permissions if re.search(pattern, name)]


def administrator(account: str, found: list[str], where: str) -> ConfigError:
    return ConfigError(
        f"The account {account} is an administrator",
        where=where,
        why=f"It has {', '.join(found[:5])}. Administrators bypass mailbox permissions, so mistakes would not show.",
        mend="Use an account with APIUser and its mailboxes' permissions only, or set `allow_administrator: true`.",
        code="MLC-STL-0201",
    )
