"""Envelopes: bodies become one interchange, ISA to IEA, with control numbers and counts. Pure and deterministic.

The layout of ISA is fixed: 105 characters and the terminator. Source: X12.5, interchange control structures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline import ConfigError, Counter, DataError, Stored
from stages.x12.definitions import ISA_LENGTH, release
from stages.x12.guide import Guide

HIGHEST_NUMBER = 999_999_999

CONTROL_PLACEHOLDER = "0000"
"""Stands for ST02 and SE02 in a rendered body; `pack` puts the number in."""


def build_envelope(
    *,
    us_isa: tuple[str, str],
    us_gs: str,
    them_isa: tuple[str, str],
    them_gs: str,
    usage: str,
    guide: Guide,
    ta1: bool = False,
) -> dict[str, str]:
    """All that packing needs besides the bodies, as texts. ``us_isa`` and ``them_isa`` are (qualifier, id); usage is P or T.

    ``ta1`` asks for an interchange acknowledgement (ISA14). Raises `ConfigError` that names every identifier that cannot be
    written (an ISA id over 15 characters, a qualifier that is not two, a delimiter inside an id).
    """
    marks = guide.delimiters
    problems = [
        *_isa_problems("us", *us_isa, guide),
        *_isa_problems("them", *them_isa, guide),
        *(
            f"{who} gs id {id!r} must have 2 to 15 characters"
            for who, id in (("us", us_gs), ("them", them_gs))
            if not 2 <= len(id) <= 15
        ),
        *([] if usage in ("P", "T") else [f"usage {usage!r} must be P (production) or T (test)"]),
    ]
    problems += [
        f"{id!r} holds a delimiter, outer spaces or a character that is not printable ASCII"
        for id in (*us_isa, *them_isa, us_gs, them_gs)
        if not (id.isascii() and id.isprintable()) or id != id.strip() or any(m in id for m in _marks(guide))
    ]
    if problems:
        raise ConfigError(
            "The partner's identity cannot be written in an X12 envelope",
            where="identity",
            why="; ".join(problems),
            mend="Correct `us` and `identity` in the partner's file",
            owner="EDI desk",
            code="MLC-X12-0202",
        )
    return {
        "us_qualifier": us_isa[0],
        "us_id": us_isa[1],
        "us_gs": us_gs,
        "them_qualifier": them_isa[0],
        "them_id": them_isa[1],
        "them_gs": them_gs,
        "usage": usage,
        "version": guide.version,
        "element": marks.element,
        "segment": marks.segment,
        "component": marks.component,
        "repetition": marks.repetition,
        "newline": "\n" if guide.newline else "",
        "ta1": "1" if ta1 else "0",
    }


def _marks(guide: Guide) -> tuple[str, ...]:
    marks = guide.delimiters
    repetition = (marks.repetition,) if guide.release >= "004020" else ()
    return (marks.element, marks.segment, marks.component, *repetition)


def _isa_problems(who: str, qualifier: str, id: str, guide: Guide) -> list[str]:
    problems = []
    known = release(guide.version).codes["I05"]
    if qualifier not in known:
        problems.append(f"{who} isa qualifier {qualifier!r} is none of {', '.join(sorted(known))}")
    if not 1 <= len(id) <= 15:
        problems.append(f"{who} isa id {id!r} must have 1 to 15 characters")
    return problems


def scope(envelope: Mapping[str, str]) -> str:
    """Whose numbers these are: sender, receiver and usage, with qualifiers: ``ZZ:US|01:081234|P``."""
    us = f"{envelope['us_qualifier']}:{envelope['us_id']}"
    them = f"{envelope['them_qualifier']}:{envelope['them_id']}"
    return f"{us}|{them}|{envelope['usage']}"


def counters(documents: Sequence[Stored]) -> list[Counter]:
    """One ISA13, and one GS06 per group."""
    whose = scope(documents[0].envelope)
    return [
        Counter(whose, "ISA13", 1, HIGHEST_NUMBER),
        Counter(whose, "GS06", len(_groups(documents)), HIGHEST_NUMBER),
    ]


def pack(documents: Sequence[Stored], numbers: Mapping[str, int], now: datetime) -> bytes:
    """One interchange of all documents: a group per (set, version) in order of first appearance, sets numbered 0001 on in each.

    ``numbers`` has ISA13 and the first GS06; further groups count on from it. ``now`` (aware UTC) dates ISA and GS. Raises
    `DataError` when the documents do not belong into one envelope or a body is not what `Plan.render` made.
    """
    envelope = documents[0].envelope
    for document in documents[1:]:
        if document.envelope != envelope and _common(document.envelope) != _common(envelope):
            raise _unpackable("documents of different partners or delimiters share a group", document)
    mark, end = envelope["element"], envelope["segment"] + envelope["newline"]
    closing = f"{mark}{CONTROL_PLACEHOLDER}{end}".encode("ascii")
    number = f"{numbers['ISA13']:09d}"
    groups = _groups(documents)
    out = [isa(envelope, number, now).encode("ascii")]
    for i, ((set, version), members) in enumerate(groups.items()):
        control = str((numbers["GS06"] - 1 + i) % HIGHEST_NUMBER + 1)
        sender, receiver = envelope["us_gs"], envelope["them_gs"]
        functional = release(version).sets[set].group
        head = ["GS", functional, sender, receiver, f"{now:%Y%m%d}", f"{now:%H%M}", control, "X", version]
        opening = mark.join(["ST", set, CONTROL_PLACEHOLDER]).encode("ascii")
        out.append((mark.join(head) + end).encode("ascii"))
        for n, member in enumerate(members, start=1):
            out += _numbered(member, b"%04d" % n, opening, closing)
        out.append((mark.join(["GE", str(len(members)), control]) + end).encode("ascii"))
    out.append((mark.join(["IEA", str(len(groups)), number]) + end).encode("ascii"))
    return b"".join(out)


def isa(envelope: Mapping[str, str], number: str, now: datetime) -> str:
    """The interchange header with its terminator (and newline)."""
    late = envelope["version"] >= "004020"
    fields = [
        "ISA", "00", " " * 10, "00", " " * 10,
        envelope["us_qualifier"], envelope["us_id"].ljust(15), envelope["them_qualifier"], envelope["them_id"].ljust(15),
        f"{now:%y%m%d}", f"{now:%H%M}", envelope["repetition"] if late else "U", envelope["version"][:5],
        number, envelope["ta1"], envelope["usage"], envelope["component"],
    ]  # fmt: skip
    text = envelope["element"].join(fields) + envelope["segment"]
    if len(text) != ISA_LENGTH:
        raise DataError(
            "The interchange header would not have its fixed length",
            where="segment ISA",
            why=f"it has {len(text)} characters instead of {ISA_LENGTH}",
            mend="Correct the partner's ids and delimiters",
            owner="EDI desk",
            code="MLC-X12-0203",
        )
    return text + envelope["newline"]


def _groups(documents: Sequence[Stored]) -> dict[tuple[str, str], list[Stored]]:
    groups: dict[tuple[str, str], list[Stored]] = {}
    for document in documents:
        groups.setdefault((document.set, document.envelope["version"]), []).append(document)
    return groups


def _common(envelope: Mapping[str, str]) -> dict[str, str]:
    """What must be equal within an interchange: everything but the suffix of the version."""
    return {**envelope, "version": envelope["version"][:5]}


def _numbered(document: Stored, number: bytes, opening: bytes, closing: bytes) -> tuple[bytes, ...]:
    """The body with its control number in ST02 and SE02, in pieces. The set may go on after ST02: from 00501 on it has an ST03."""
    body = document.body
    if not body.startswith(opening):
        raise _unpackable("its body does not start as its set demands", document)
    if not body.endswith(closing) or len(body) < len(opening) + len(closing):
        raise _unpackable("its body does not end as its set demands", document)
    size = len(CONTROL_PLACEHOLDER)
    end = len(closing) - closing.index(b"0") - size
    return opening[:-size], number, body[len(opening) : len(body) - end - size], number, closing[-end:]


def _unpackable(why: str, document: Stored) -> DataError:
    return DataError(
        "The document cannot be packed",
        where=f"document {document.id}, {document.set} to {document.partner}",
        why=why,
        mend="Render it again; the partner's file was probably changed in between",
        owner="EDI desk",
        code="MLC-X12-0204",
    )


def places(sent: Sequence[tuple[str, str]], first: int) -> list[tuple[int, int]]:
    """(GS06, ST02) of each document that `pack` put into one interchange, given (set, version) of all, in order; ``first`` is its GS06."""
    groups: dict[tuple[str, str], int] = {}
    made = []
    for key in sent:
        groups.setdefault(key, 0)
        groups[key] += 1
        number = (first - 1 + list(groups).index(key)) % HIGHEST_NUMBER + 1
        made.append((number, groups[key]))
    return made


_ORIGINS = {
    "ISA01": "constant 00", "ISA02": "blank", "ISA03": "constant 00", "ISA04": "blank",
    "ISA05": "us.isa.qualifier", "ISA06": "us.isa.id", "ISA07": "identity.isa.qualifier", "ISA08": "identity.isa.id",
    "ISA09": "the day it was packed, in UTC", "ISA10": "the minute it was packed, in UTC",
    "ISA11": "guide.delimiters.repetition from 00402 on, else U", "ISA12": "guide.version, its first five digits",
    "ISA13": "the ledger's next interchange number between these ids and usage", "ISA14": "acknowledgement.ta1", "ISA15": "identity.usage",
    "ISA16": "guide.delimiters.component",
    "GS01": "the kind of group the set belongs in", "GS02": "us.gs", "GS03": "identity.gs", "GS04": "the day it was packed, in UTC",
    "GS05": "the minute it was packed, in UTC", "GS06": "the ledger's next group number between these ids and usage", "GS07": "constant X",
    "GS08": "guide.version",
    "ST01": "the kind of set, documents[].set", "ST02": "its place in the group, given when it was packed", "ST03": "guide.implementation",
    "SE01": "the segments from ST to SE, counted", "SE02": "as ST02", "GE01": "the sets of the group, counted", "GE02": "as GS06",
    "IEA01": "the groups, counted", "IEA02": "as ISA13",
}  # fmt: skip
"""What `pack` and the head of a set write, and where it comes from: keys of the partner's file, or what packing gives."""


def envelope_origins(name: str) -> list[str]:
    """The origins of an element (``ISA13``) or of all elements of a segment (``GS``) of the envelope; empty for any other name."""
    return [f"{place} <- {origin}" for place, origin in _ORIGINS.items() if name in (place, place[:-2])]
