"""Messages become answers, and answers find what they are about by the numbers that packing gave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import DataError, Excluded, Record, SentDocument, Stored
from stages.x12.answering.acknowledgements import Acknowledgements, decode, reread
from stages.x12.guide import Guide
from stages.x12.reading.reader import read
from stages.x12.writing.envelope import pack, places

ISA = "ISA*00*          *00*          *01*0812345678     *ZZ*HARBORVALE     *250131*1305*U*00401*000000801*0*P*>~"
GS = "GS*FA*0812345678*HARBORVALE*20250131*1305*55*X*004010~"
TAIL = "GE*1*55~IEA*1*000000801~"
SEALED = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)


def f997(*segments: str, control: str = "0001") -> str:
    return "".join(f"{segment}~" for segment in (f"ST*997*{control}", *segments, f"SE*{len(segments) + 2}*{control}"))


def whole(*bodies: str, ta1: str = "") -> bytes:
    return (ISA + ta1 + GS + "".join(bodies) + TAIL).encode()


class Body:
    """What a source of mailboxes hands on; ``partners`` are those who answer in the mailbox."""

    def __init__(self, payload: bytes, *partners: str) -> None:
        self.payload, self.partners = payload, partners


def message(payload: bytes, *partners: str) -> Record:
    body = Body(payload, *partners) if partners else payload
    return Record(key="78", kind="message", body=body, object="message", label="a.edi", raw=payload)


def verdicts(payload: bytes, *documents: SentDocument) -> list[tuple[int, str, bool]]:
    """What the only answer in these bytes says of documents."""
    (record,) = decode(message(payload))
    return [(v.document, v.status, v.settles) for v in Acknowledgements().answer(record).match(documents)]


def document(
    id: int,
    position: int = 1,
    *,
    set: str = "810",
    version: str = "004010",
    delivery: int = 1,
    reference: str = "",
    **numbers: int,
) -> SentDocument:
    return SentDocument(
        id=id, set=set, delivery=delivery, position=position, envelope={"version": version, "usage": "P"}, numbers={"ISA13": 9, "GS06": 17} | numbers,
        sealed=SEALED, reference=reference, partner="ACME",
    )  # fmt: skip


ALL_WELL = whole(f997("AK1*IN*17", "AK9*A*2*2*2"))


@pytest.mark.parametrize(
    ("payload", "rule"),
    [(b"", "not X12"), (b"id;name\n1;x\n", "not X12"), (b"\x50\x4b\x03\x04", "not X12"),
     ((ISA + GS.replace("FA", "IN") + "ST*810*0001~BIG*20250131*1~SE*3*0001~" + TAIL).encode(), "no acknowledgement")],
)  # fmt: skip
def test_what_answers_nothing_is_excluded_by_its_rule(payload: bytes, rule: str) -> None:
    with pytest.raises(Excluded) as caught:
        decode(message(payload))
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("payload", "says"),
    [(ALL_WELL[:-30], "MLC-X12-0404"), (ALL_WELL + b"<html>gone</html>", "MLC-X12-0401"),
     (ALL_WELL.replace(b"AK9*A", b"XX9*A"), "0001"), (ALL_WELL[:60], "MLC-X12-040"),
     (whole(f997("AK1*IN*17", "AK9*A*2*2*2"), f997("AK1*IN*18", control="0002")), "0002")],
)  # fmt: skip
def test_a_damaged_message_is_a_data_error_with_what_was_found(payload: bytes, says: str) -> None:
    with pytest.raises(DataError) as caught:
        decode(message(payload))
    assert caught.value.code == "MLC-X12-0601"
    assert says in caught.value.why


def test_each_answer_of_a_message_becomes_a_record_without_the_bytes() -> None:
    records = decode(message(whole(f997("AK1*IN*17", "AK9*A*1*1*1"), ta1="TA1*000000009*250131*1200*A*000~")))
    assert [Acknowledgements().answer(record).kind for record in records] == ["TA1", "997"]
    assert {(record.key, record.raw, record.kind) for record in records} == {("78", b"", "answer")}


def test_a_body_with_a_payload_is_read_and_any_other_is_a_fault_of_the_flow() -> None:
    class Body:
        payload = ALL_WELL

    assert len(decode(message(b"").replace(body=Body()))) == 1
    with pytest.raises(DataError) as caught:
        decode(message(b"").replace(body={"payload": 1}))
    assert caught.value.code == "MLC-X12-0602"
    with pytest.raises(DataError):
        Acknowledgements().answer(message(b"x"))


def test_the_scope_is_ours_theirs_and_the_usage() -> None:
    (record,) = decode(message(ALL_WELL))
    asked = Acknowledgements().answer(record)
    assert (asked.scope, asked.numbers, asked.sender) == (
        "ZZ:HARBORVALE|01:0812345678|P",
        (("GS06", 17),),
        "01:0812345678",
    )


A, E, R = ("AK2*810*0002", "AK5*A"), ("AK2*810*0002", "AK5*E*5"), ("AK2*810*0002", "AK5*R*5")

STATUSES: list[tuple[str, bytes, list[tuple[int, str, bool]]]] = [
    ("all well in short", ALL_WELL, [(1, "accepted", True), (2, "accepted", True)]),
    ("all refused in short", whole(f997("AK1*IN*17", "AK9*R*2*2*0*5")), [(1, "rejected", True), (2, "rejected", True)]),
    ("in part, not saying which", whole(f997("AK1*IN*17", "AK9*P*2*2*1")), [(1, "partially_accepted", True), (2, "partially_accepted", True)]),
    ("in part, naming the refused", whole(f997("AK1*IN*17", *R, "AK9*P*2*2*1")), [(1, "accepted", True), (2, "rejected", True)]),
    ("with errors", whole(f997("AK1*IN*17", *E, "AK9*E*2*2*2")), [(1, "accepted", True), (2, "accepted_with_errors", True)]),
    ("another group", whole(f997("AK1*IN*18", "AK9*A*2*2*2")), []),
    ("another kind of group", whole(f997("AK1*PO*17", "AK9*A*2*2*2")), []),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "said"), [case[1:] for case in STATUSES], ids=[case[0] for case in STATUSES])
def test_a_997_says_of_each_document(payload: bytes, said: list[tuple[int, str, bool]]) -> None:
    assert verdicts(payload, document(1, 1), document(2, 2)) == said


TA1S = [
    ("A*000", ("accepted", False)), ("E*003", ("accepted_with_errors", False)), ("R*023", ("rejected", True)), ("R*025", ("duplicate", False)),
]  # fmt: skip


@pytest.mark.parametrize(("said", "verdict"), TA1S)
def test_a_ta1_can_refuse_but_its_acceptance_settles_nothing(said: str, verdict: tuple[str, bool]) -> None:
    alone = f"{ISA}TA1*000000009*250131*1200*{said}~IEA*0*000000801~".encode()
    assert verdicts(alone, document(1), document(5, delivery=2, ISA13=10)) == [(1, *verdict)]


@pytest.mark.parametrize(
    ("body", "said"),
    [("ST*824*0001~BGN*11*1*20250131~OTI*TR*IV*88121*****17*0002*810~TED*006*bad~SE*5*0001~", [(2, "rejected")]),
     ("ST*824*0001~BGN*11*1*20250131~OTI*TA*IV*88121~SE*4*0001~", [(1, "accepted")]),
     ("ST*824*0001~BGN*11*1*20250131~OTI*TE*IV*88121~TED*006*odd~SE*5*0001~", [(1, "accepted_with_errors")]),
     ("ST*855*0001~BAK*00*RJ*4711*20250131~SE*3*0001~", [(3, "rejected")]),
     ("ST*855*0001~BAK*00*AD*4711*20250131~SE*3*0001~", [(3, "accepted")])],
)  # fmt: skip
def test_824_and_855_find_documents_by_number_or_reference(body: str, said: list[tuple[int, str]]) -> None:
    sent = [
        document(1, 1, reference="88121"),
        document(2, 2, reference="88122"),
        document(3, 3, set="850", reference="4711"),
    ]
    (record,) = decode(message(whole(body)))
    asked = Acknowledgements().answer(record)
    assert [(v.document, v.status) for v in asked.match(sent)] == said
    assert asked.references or asked.numbers


EVERY_KIND = {
    "997": ALL_WELL,
    "999": whole(f997("AK1*IN*17", *E, "AK9*E*2*2*2").replace("997", "999").replace("AK5", "IK5")),
    "TA1": f"{ISA}TA1*000000009*250131*1200*R*023~IEA*0*000000801~".encode(),
    "824": whole("ST*824*0001~BGN*11*1*20250131~OTI*TR*IV*88121*****17*0002*810~TED*006*bad~SE*5*0001~"),
    "855": whole("ST*855*0001~BAK*00*RJ*4711*20250131~SE*3*0001~"),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_an_answer_read_again_from_what_was_kept_of_it_says_the_same(kind: str) -> None:
    (record,) = decode(message(EVERY_KIND[kind]))
    first = Acknowledgements().answer(record)
    again = reread(first.said)
    assert again is not None
    sent = [document(1, 1), document(2, 2), document(3, 3, set="850", reference="4711")]
    assert (again.kind, list(again.match(sent))) == (kind, list(first.match(sent)))
    assert first.match(sent)
    told = [(a.scope, a.numbers, a.references, a.told, a.said) for a in (first, again)]
    assert told[0] == told[1]


@pytest.mark.parametrize("said", [b"", b"{}", b"[1]", b'{"answer":{"type":"Later"}}'])
def test_what_another_version_kept_in_another_form_is_not_read(said: bytes) -> None:
    assert reread(said) is None


PROOFS = [
    ("997", "250131", "1305", True),
    ("997", "250130", "1300", True),  # a partner behind in time, or whose clock is
    ("997", "      ", "1100", False),
    ("TA1", "250201", "1305", True),  # it names the date of our ISA
    ("TA1 of another day", "250201", "1305", False),
    ("824", "250131", "1305", False),
]


@pytest.mark.parametrize(("kind", "date", "time", "proves"), PROOFS)
def test_only_what_names_the_numbers_and_was_written_since_proves_that_it_arrived(
    kind: str, date: str, time: str, proves: bool
) -> None:
    payload = EVERY_KIND[kind[:3]].replace(b"*250131*1305*U", f"*{date}*{time}*U".encode())
    if kind.endswith("day"):
        payload = payload.replace(b"*250131*1200*R", b"*250130*1200*R")
    (record,) = decode(message(payload, "ACME"))
    said = Acknowledgements().answer(record).match([document(1, 1), document(2, 2)])
    assert said
    assert {verdict.proves for verdict in said} == {proves}


@pytest.mark.parametrize(("partners", "proves"), [(("ACME",), True), (("OTHER", "ACME"), True), ((), False)])
@pytest.mark.parametrize("kind", ["997", "TA1"])
def test_an_answer_proves_an_arrival_only_where_the_documents_partner_answers_by_its_file(
    kind: str, partners: tuple[str, ...], proves: bool
) -> None:
    payload = EVERY_KIND[kind]
    (record,) = decode(message(payload, *partners))
    first = Acknowledgements().answer(record)
    again = reread(first.said)
    assert again is not None
    for answer in (first, again):
        assert {(v.document, v.proves) for v in answer.match([document(1)])} == {(1, proves)}


@pytest.mark.parametrize(("kind", "says"), [("997", "accepted"), ("TA1", "rejected"), ("824", "rejected")])
def test_an_answer_that_lay_where_only_others_answer_is_not_believed(kind: str, says: str) -> None:
    (record,) = decode(message(EVERY_KIND[kind], "OTHER", "NEXT", "THIRD", "FOURTH"))
    said = Acknowledgements().answer(record).match([document(1), document(2, 2)])
    assert said
    for verdict in said:
        assert (verdict.status, verdict.settles, verdict.proves) == ("foreign_mailbox", False, False)
        assert f"it says {says} and lay where OTHER, NEXT, THIRD, ... answers, not ACME" in verdict.reasons[0]
        assert "EDI desk" in verdict.reasons[1]


def test_an_answer_written_more_than_a_day_before_the_document_was_sealed_says_nothing_of_it() -> None:
    assert verdicts(ALL_WELL.replace(b"*250131*1305*U", b"*250130*1159*U"), document(1)) == []


SETS = st.lists(
    st.tuples(st.sampled_from(["810", "850"]), st.sampled_from(["004010", "004010VICS"])), min_size=1, max_size=12
)


@given(SETS, st.sampled_from([1, 17, 999_999_998]))
def test_places_are_those_that_packing_gives(keys: list[tuple[str, str]], first: int) -> None:
    guide = Guide()
    common = {
        "us_qualifier": "ZZ", "us_id": "US", "us_gs": "US", "them_qualifier": "ZZ", "them_id": "THEM", "them_gs": "THEM", "usage": "P",
        "element": "*", "segment": "~", "component": ">", "repetition": "^", "newline": "", "ta1": "0",
    }  # fmt: skip
    assert guide.delimiters.element == "*"
    bodies = [f"ST*{set}*0000~REF*ZZ*{n}~SE*3*0000~".encode() for n, (set, _) in enumerate(keys)]
    stored = [
        Stored(n, set, "P", bodies[n], {**common, "version": version}, 1) for n, (set, version) in enumerate(keys)
    ]
    found: dict[int, tuple[int, int]] = {}
    group, control = 0, 0
    for segment in read([pack(stored, {"ISA13": 1, "GS06": first}, SEALED)]):
        if segment.id == "GS":
            group = int(segment[6])
        elif segment.id == "ST":
            control = int(segment[2])
        elif segment.id == "REF":
            found[int(segment[2])] = (group, control)
    assert [found[n] for n in range(len(keys))] == places(keys, first)


def test_the_number_a_document_carries_is_what_it_is_referred_to_by(
    subject: Callable[..., Any], plan: Callable[..., Any]
) -> None:
    from stages.x12.writing.draft import Draft
    from stages.x12.writing.stage import Encode

    draft = Draft(set="810", partner="P", plan=plan(), subject=subject(), envelope={"segment": "~", "element": "*"})
    (made,) = Encode().render(Record(key="1", kind="bill", body=draft, label="INV"))
    assert made.reference
    assert f"*{made.reference}".encode() in made.body.split(b"~")[1]
