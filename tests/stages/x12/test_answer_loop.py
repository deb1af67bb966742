"""The loop closed on ourselves: what we send, damaged on its way, answered by us, read by us: each document hears what was meant of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline import Record, SentDocument, Stored
from stages.x12.answering.acknowledge import group_answers, interchange_answer
from stages.x12.answering.acknowledgements import Acknowledgements, decode
from stages.x12.answering.answer_writer import groups_of_reply, reply
from stages.x12.answering.answers import Form
from stages.x12.checking.validator import examine, validate
from stages.x12.guide import Delimiters, Guide
from stages.x12.writing.draft import build_envelope
from stages.x12.writing.envelope import pack

SEALED = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)
GOOD = {
    "810": "ST*810*0000~BIG*20250131*INV-{n}~IT1*1*1*EA*1~TDS*100~SE*5*0000~",
    "850": "ST*850*0000~BEG*00*SA*PO-{n}**20250131~PO1*1*1*EA*1~CTT*1~SE*5*0000~",
}
FAULTS = {
    "": ("", ""),
    "date": ("*20250131", "*20250199"),
    "code": ("*EA*", "*Q?*"),
    "count": ("SE*5*", "SE*6*"),
    "segment": ("SE*5*0000", "ZZZ*1~SE*6*0000"),
    "text": ("*1*1*", "*1\x07*1*"),
}


def sent(sets: list[tuple[str, str]], guide: Guide) -> tuple[bytes, list[SentDocument], list[bool]]:
    """An interchange of these sets, each with its fault, what the ledger knows of it, and which of them are right."""
    marks = guide.delimiters
    envelope = build_envelope(
        us_isa=("ZZ", "US"), us_gs="US", them_isa=("01", "THEM"), them_gs="THEM", usage="P", guide=guide
    )
    stored = []
    for n, (set, fault) in enumerate(sets, 1):
        text = GOOD[set].format(n=n).replace(*FAULTS[fault], 1) if fault else GOOD[set].format(n=n)
        body = text.translate(str.maketrans("*~", marks.element + marks.segment)).encode()
        stored.append(Stored(n, set, "THEM", body, envelope, 1))
    numbers = {"ISA13": 9, "GS06": 17}
    documents = [
        SentDocument(id=one.id, set=one.set, delivery=1, position=one.id, envelope=envelope, numbers=numbers, sealed=SEALED, reference="", partner="THEM")
        for one in stored
    ]  # fmt: skip
    return pack(stored, numbers, SEALED), documents, [not fault for _, fault in sets]


class Body:
    """A message in the mailbox where THEM answers."""

    partners = ("THEM",)

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


def heard(answer: bytes, documents: list[SentDocument]) -> dict[int, set[str]]:
    told: dict[int, set[str]] = {}
    for record in decode(
        Record(key="1", kind="message", body=Body(answer), object="message", label="a.edi", raw=answer)
    ):
        for verdict in Acknowledgements().answer(record).match(documents):
            told.setdefault(verdict.document, set()).add(str(verdict.status))
            assert verdict.proves
    return told


SETS = st.lists(st.tuples(st.sampled_from(sorted(GOOD)), st.sampled_from(sorted(FAULTS))), min_size=1, max_size=6)
GUIDES = st.builds(
    lambda version, marks: Guide(version=version, delimiters=Delimiters(**marks)),
    st.sampled_from(["004010", "005010"]),
    st.sampled_from(
        [{}, {"element": "|", "component": ":"}, {"element": "\x1d", "segment": "\n", "component": "\x1f"}]
    ),
)
FORMS = st.sampled_from(["997", "999"])


@given(SETS, GUIDES, FORMS, st.booleans())
def test_each_document_hears_what_was_meant_of_it(
    sets: list[tuple[str, str]], guide: Guide, form: Form, ta1: bool
) -> None:
    payload, documents, right = sent(sets, guide)
    examined = examine([payload])
    (interchange,), (answers,) = examined.interchanges, group_answers(examined, form)
    note = interchange_answer(examined) if ta1 else None
    numbers = {"ISA13": 1, "GS06": 999_999_999}
    written = reply(interchange, answers, note, numbers, SEALED + timedelta(hours=1))
    assert [str(found) for found in validate(written)] == []
    assert groups_of_reply(interchange, answers, note) <= len(answers)
    told = heard(written, documents)
    expected = ["accepted" if good else "rejected" for good in right]
    assert [
        told[one.id] - ({"accepted"} if ta1 and not good else set()) for one, good in zip(documents, right, strict=True)
    ] == [{status} for status in expected]


BROKEN = {
    "IEA": ("IEA*1*000000009", "IEA*1*000000008"),
    "stray": ("GE*", "SE*4*0001~GE*"),
    "open": ("IEA*1*000000009~", ""),
}


@given(SETS, FORMS, st.sampled_from(sorted(BROKEN)))
def test_of_a_rejected_interchange_each_document_hears_that_and_nothing_else(
    sets: list[tuple[str, str]], form: Form, broken: str
) -> None:
    payload, documents, _ = sent([("810", fault) for _, fault in sets], Guide())
    old, new = BROKEN[broken]
    examined = examine([payload.replace(old.encode(), new.encode(), 1)])
    (interchange,), (answers,) = examined.interchanges, group_answers(examined, form)
    written = reply(interchange, answers, interchange_answer(examined), {"ISA13": 1, "GS06": 1}, SEALED)
    assert [str(found) for found in validate(written)] == []
    assert heard(written, documents) == {one.id: {"rejected"} for one in documents}


@given(SETS, FORMS, st.booleans(), st.sampled_from(["", "GE02", "GE01"]))
def test_what_an_answer_says_of_a_group_agrees_with_what_it_says_of_its_sets(
    sets: list[tuple[str, str]], form: Form, accept_faults: bool, broken: str
) -> None:
    payload, _, _ = sent(sets, Guide())
    payload = payload.replace(b"*17~IEA", b"*18~IEA") if broken == "GE02" else payload
    payload = payload.replace(b"~GE*", b"~GE*9") if broken == "GE01" else payload
    for answer in group_answers(examine([payload]), form, accept_faults=accept_faults)[0]:
        statuses = [one.status for one in answer.sets]
        assert 0 <= answer.accepted <= answer.received
        assert all(one.codes for one in answer.sets if one.status != "A")
        match answer.status:
            case "A":
                assert set(statuses) == {"A"}
            case "E":
                assert set(statuses) == {"A", "E"} or set(statuses) == {"E"}
            case "P":
                assert "R" in statuses
                assert answer.accepted == sum(status != "R" for status in statuses) > 0
            case "R":
                assert set(statuses) <= {"R"}
                assert answer.accepted == 0
                assert answer.codes or len(statuses) == answer.received
