"""Stage ``sterling.route``: as ``ap.route``, but which partner wants which document stands in a code list of Sterling.

Who a partner is, its mailbox and its guide stay in its file. Adapters are strangers: this one reads the list and hands rules to
`stages.ap.route`, which knows nothing of code lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from pipeline import ConfigError, Context, Destination, Diagnosis, Finding, Tell
from stages.ap import route
from stages.ap.partners import Partner, Rule, document_rule, load_partners, partners_folder
from stages.sterling.config import CodeListName
from stages.sterling.partner_view import Codes, read_codes
from stages.sterling.protocol.representations import text_of

EVERY_OTHER = "*"
"""The sender code whose entries hold for every partner that has none of its own."""

TextName = Annotated[str, msgspec.Meta(pattern="^(description|text[1-9])$")]


class ListRouteSettings(CodeListName, frozen=True, kw_only=True):
    """``with`` of ``sterling.route``: the code list, and which of its texts say the role and the condition."""

    list: Annotated[str, msgspec.Meta(min_length=1)]
    partners: str = "partners/"
    role: TextName = "text1"
    when: TextName = "text2"


async def build_list_route(settings: ListRouteSettings, context: Context) -> route.RouteStage:
    """Reads the list and the partner files once. Raises `ConfigError` for an entry that cannot be meant: half a list is no list."""
    key, codes = await read_codes(context.connection, settings)
    rules = listed_rules(settings, key, codes)

    def wanted(partner: Partner) -> Sequence[Rule]:
        return rules.get(partner.code, rules.get(EVERY_OTHER, ()))

    return route.build_route(route.RouteSettings(partners=settings.partners), context, wanted)


def listed_rules(settings: ListRouteSettings, key: str, codes: Codes) -> dict[str, list[Rule]]:
    """The rules of each partner, in the order of their receiver codes, which begin with the set: ``810``, ``810 debit memos``."""
    rules: dict[str, list[Rule]] = {}
    wrong: list[str] = []
    for (partner, document), row in sorted(codes.items()):
        named = re.fullmatch(r"(\d{3})(?:\D.*)?", document)
        try:
            rule = document_rule(
                named[1] if named else document, text_of(row.get(settings.role)), text_of(row.get(settings.when))
            )
        except ValueError as problem:
            wrong.append(f"{partner}|{document}: {problem}")
        else:
            rules.setdefault(partner, []).append(rule)
    if wrong:
        raise _wrong(key, wrong)
    return rules


def lint_list_route(settings: ListRouteSettings, folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    """The findings about the partner files; the list is looked at by a run and by `doctor`."""
    return load_partners(partners_folder(settings.partners, folder, environment))[1]


def list_route_destinations(
    settings: ListRouteSettings, folder: Path, environment: Mapping[str, str]
) -> list[Destination]:
    """The mailbox of every partner: which of them ask for something stands in Sterling."""
    partners, _ = load_partners(partners_folder(settings.partners, folder, environment))
    return [Destination(each.code, each.mailbox) for each in partners.all] if partners else []


async def diagnose_list_route(
    settings: ListRouteSettings, context: Context, destinations: Sequence[Destination], tell: Tell
) -> None:
    """Whether the list is there and every entry can be read; and which partners in it have no file."""
    key, codes = await read_codes(context.connection, settings)
    rules = listed_rules(settings, key, codes)
    tell(Diagnosis.ok("code list", f"{key}, {len(codes)} entries for {len(rules)} partners"))
    partners, _ = load_partners(partners_folder(settings.partners, context.folder, context.environment))
    known = {partner.code for partner in partners.all} if partners else set()
    unknown = sorted(set(rules) - known - {EVERY_OTHER})
    if partners and unknown:
        tell(Diagnosis.warning("partners", _without_file(key, unknown)))


def _wrong(key: str, wrong: Sequence[str]) -> ConfigError:
    more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return ConfigError(
        "A code list says something that cannot be meant",
        where=f"code list {key}",
        why=f"{wrong[0]}{more}",
        mend="Correct the entry in Sterling: sender code the partner, receiver code the set, text1 the role, text2 a condition or nothing.",
        owner="EDI desk",
        code="MLC-STL-0343",
    )


def _without_file(key: str, partners: Sequence[str]) -> ConfigError:
    more = f" and {len(partners) - 5} more" if len(partners) > 5 else ""
    return ConfigError(
        f"{len(partners)} partners in the code list have no partner file",
        where=f"code list {key}: {', '.join(partners[:5])}{more}",
        why="Who they are and how they want it is in their file only; nothing is sent to them.",
        mend="Write their files, or take them out of the list.",
        owner="EDI desk",
        code="MLC-STL-0344",
    )
