"""What is known of Sterling's own error codes and texts: what each means, who mends it and how. One table.

The code is the prefix of the text, and causes are chained: the first names the outer operation, the last the root cause. Many
messages carry no code at all, so that texts are in the table too. Sources: IBM's support pages and APARs, and public clients that run
against real servers; no complete list is public.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from stages.sterling.protocol.answer import api_codes

Meaning = Literal["exists", "not_found", "refused", "unknown"]
Owner = Literal["EDI desk", "IT"]


class Known(msgspec.Struct, frozen=True):
    """``meaning`` decides what becomes of the call: what exists is looked up, what is not found may be what was asked, of what is unknown
    nobody can say whether it took effect, the rest is refused.
    """

    meaning: Meaning
    says: str
    mend: str
    owner: Owner = "EDI desk"


CODES: dict[str, Known] = {
    "API000102": Known(
        "refused",
        "a part of the routing channel could not be deleted",
        "List the partner's routing channels in Sterling and delete what is left by hand, then replay.",
    ),
    "API000160": Known(
        "refused",
        "the trading partner does not pass Sterling's own test",
        "Look at the partner's connection in File Gateway: host, user and keys.",
    ),
    "API000161": Known(
        "refused",
        "the trading partner does not pass Sterling's own test",
        "Look at the partner's connection in File Gateway: host, user and keys.",
    ),
    "API000175": Known(
        "refused",
        "the login user could not be saved; what follows says why",
        "Correct what the message names behind this code, then replay.",
    ),
    "API000393": Known(
        "refused",
        "the password is refused by its policy",
        "Name a `passwordPolicy` under `create` that takes generated passwords, or relax the policy, then replay.",
        "IT",
    ),
    "API000451": Known(
        "refused",
        "there is no authorized user key of that name",
        "Import the key into Sterling, or correct `authorizedUserKeyName` under `create`, then replay.",
    ),
    "API000452": Known(
        "refused",
        "the user id holds a character that Sterling does not take",
        "Set a `username` under `create`, or give the partner another code: no ! @ # % ^ * ( ) + ? , < > { } [ ] | ; \\ \" ' (older levels: no dot).",
    ),
    "API000464": Known(
        "not_found",
        "the user account does not exist",
        "Create the user in Sterling or correct its name here, then replay.",
    ),
}

TEXTS: dict[str, Known] = {
    r"NullPointerException": Known(
        "unknown",  # it may have thrown behind the effect
        "a defect of the server, not of what it was asked",
        "Ask Sterling's administrator to look at the server's log at this time; nothing here mends it.",
        "IT",
    ),
    r"UnrecoverableKeyException": Known(
        "refused",
        "the server cannot open its own keys",
        "Ask Sterling's administrator: `security.passphrase` is missing from the server's overrides. Then replay.",
        "IT",
    ),
    r"Group Members can only contain": Known(
        "refused",
        "a name cannot be a member of a partner group",
        "Use letters, digits, '_' and spaces in names of partners that belong to groups (older levels: no '-').",
    ),
    r"already\s+exists?|already\s+in\s+use|\bduplicate\b|must be unique|not unique": Known(
        "exists", "something of that name is there", "It is looked up before anything is repeated."
    ),
    r"not\s+(?:be\s+)?found|does\s*n[o']t\s+exist|do\s+not\s+exist|\bno\s+such\b|non-?existent"
    r"|\b(?:no|nothing)\s+(?:\w+\s+){0,2}(?:were\s+|was\s+)?found": Known(
        "not_found",
        "something that is named does not exist",
        "Create what is missing in Sterling or correct its name here, then replay.",
    ),
}
"""By a regular expression, without regard to case; the first that matches counts. They decide before the codes: an outer code says
only which operation failed."""


def known(text: str) -> Known | None:
    """What is known of an error text: by its words, else by its codes, the root cause first."""
    for pattern, found in TEXTS.items():
        if re.search(pattern, text, re.IGNORECASE):
            return found
    return next((CODES[code] for code in reversed(api_codes(text)) if code in CODES), None)
