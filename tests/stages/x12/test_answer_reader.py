"""A refusal is never lost: what cannot be read whole is told, and however much an answer lists, reading it is bounded."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import DataError, Excluded, Record
from stages.x12.answering import answer_reader
from stages.x12.answering.acknowledgements import decode
from stages.x12.answering.answer_reader import MOST_KEPT, Unread, read_answers, reading
from stages.x12.answering.answers import DocumentAdvice, GroupAnswer, OrderAnswer
from stages.x12.answering.match import MOST_REASONS, Sent, match, statuses

ISA = "ISA*00*          *00*          *ZZ*THEM           *ZZ*US             *250131*1305*U*00401*000000801*0*P*>~"
GS = "GS*FA*THEM*US*20250131*1305*55*X*004010~"
TAIL = "GE*1*55~IEA*1*000000801~"
BODY = "ST*997*0001~AK1*IN*17~AK2*810*0001~AK3*N4*9*N1*8~AK4*2*156*7*ZZ~AK5*R*5~AK9*R*1*1*0~SE*8*0001~"
REFUSAL = ISA + GS + BODY + TAIL
SENT = Sent(
    document=1, partner=("ZZ", "THEM"), interchange=17, group="IN", group_number=17, set="810", control="0001", reference="INV-1", sent="2501311200"
)  # fmt: skip


def fate(payload: bytes) -> str:
    """What becomes of our document when this message comes: its status, or what keeps the message from being read."""
    try:
        answers = decode(Record(key="1", kind="message", body=payload, object="message", label="a.edi", raw=payload))
    except DataError as error:
        return "a person" if error.code == "MLC-X12-0601" else error.code
    except Excluded as excluded:
        return excluded.rule
    return statuses(match([answer.body for answer in answers], [SENT]).matched).get(1, "nothing")


def test_the_refusal_itself_is_read() -> None:
    assert fate(REFUSAL.encode()) == "rejected"


DAMAGE: list[tuple[str, str, str]] = [
    ("a line before it", "ISA*00", "HEADER LINE\nISA*00"),
    ("a mail header", "ISA*00", "Content-Type: text/plain\r\n\r\nISA*00"),
    ("no ISA", ISA, ""),
    ("ISA in small letters", "ISA*00", "isa*00"),
    ("ST01 with a space", "ST*997*", "ST*997 *"),
    ("ST01 with a zero", "ST*997*", "ST*0997*"),
    ("ST in small letters", "ST*997*", "st*997*"),
    ("another ST01", "ST*997*", "ST*998*"),
    ("no ST", "ST*997*0001~", ""),
    ("no ST in a damaged group", GS + "ST*997*0001~", "GS**THEM*US*20250131*1305*55*X*004010~"),
    ("a damaged ST01 in a damaged group", GS + "ST*997*", "GS*F*THEM*US*20250131*1305*55*X*004010~ST*99*"),
    ("no SE", "SE*8*0001~", ""),
    ("an SE of another set", "SE*8*0001", "SE*8*0002"),
    ("fewer segments than announced", "SE*8*", "SE*10*"),
    ("no GE", "GE*1*55~", ""),
    ("no IEA", "IEA*1*000000801~", ""),
    ("fewer sets than announced", "GE*1*", "GE*2*"),
    ("an empty group", BODY, ""),
    ("fewer groups than announced", "IEA*1*", "IEA*2*"),
    ("no group at all", GS + BODY + "GE*1*55~", ""),
    ("no AK1", "AK1*IN*17~", ""),
    ("AK1 twice", "AK1*IN*17~", "AK1*IN*17~AK1*IN*18~"),
    ("AK1 without a number", "AK1*IN*17", "AK1*IN*X7"),
    ("no AK2", "AK2*810*0001~", ""),
    ("no AK5", "AK5*R*5~", ""),
    ("AK5 in small letters", "AK5*R", "ak5*R"),
    ("an AK5 that says nothing", "AK5*R*5~AK9*R", "AK5~AK9*P"),
    ("no AK9", "AK9*R*1*1*0~", ""),
    ("an AK9 that says nothing", "AK9*R", "AK9*"),
    ("an AK9 that says something unknown", "AK9*R", "AK9*r"),
    ("two AK9", "AK9*R*1*1*0~", "AK9*A*1*1*1~AK9*R*1*1*0~"),
    ("lines cut at a width", "AK9*R*1", "AK\n9*R*1"),
    ("another set of that number that cannot be read", "GE*1*", "ST*997*0001~AK1*IN*18~SE*3*0001~GE*2*"),
    ("half a set before the next", "SE*8*0001~", "ST*997*0002~AK1*IN*18~AK9*A*1*1*1~SE*4*0002~"),
    ("an unread segment in it", "AK5*R", "ZZ9*R"),
]


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in DAMAGE], ids=[case[0] for case in DAMAGE])
def test_a_refusal_that_cannot_be_read_whole_is_for_a_person(old: str, new: str) -> None:
    assert old in REFUSAL
    assert fate(REFUSAL.replace(old, new, 1).encode()) == "a person"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp037"])
def test_a_refusal_in_another_encoding_is_for_a_person(encoding: str) -> None:
    assert fate(REFUSAL.encode(encoding)) == "a person"


@pytest.mark.parametrize(
    "ta1", ["TA1*000000017*250131*1200*r*006~", "TA1*000000017*250131*1200~", "TA1*X*250131*1200*R*006~"]
)
def test_a_ta1_that_does_not_say_what_it_says_of_which_interchange_is_for_a_person(ta1: str) -> None:
    assert fate((ISA + ta1 + "IEA*0*000000801~").encode()) == "a person"


@pytest.mark.parametrize("claimed", ["0", "1"])
def test_a_ta1_alone_may_be_counted_or_not(claimed: str) -> None:
    assert fate((ISA + f"TA1*000000017*250131*1200*R*006~IEA*{claimed}*000000801~").encode()) == "rejected"


BUSINESS = {
    "824": ("GS*AG", "ST*824*0001~BGN*11*1*20250131~OTI*TR*IV*INV-1*****17*0001*810~TED*006*bad~SE*5*0001~"),
    "855": ("GS*PR", "ST*855*0001~BAK*00*RJ*4711*20250131~SE*3*0001~"),
}


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [("824", "ST*824", "ST*0824"), ("824", "OTI*TR", "OTI*"), ("824", "OTI*", "Oti*"), ("824", "OTI*TR*IV*INV-1*****17*0001*810~", ""),
     ("824", "TED*006*bad~", "TA1*000000017*250131*1200*R*006~"),
    ("855", "ST*855", "ST*85"), ("855", "BAK*00*RJ*4711*20250131~", ""), ("855", "BAK*00*RJ", "BAK*00*AT*1~BAK*00*RJ")],
)  # fmt: skip
def test_what_a_partner_says_of_the_business_gets_lost_as_little(kind: str, old: str, new: str) -> None:
    group, body = BUSINESS[kind]
    whole = ISA + GS.replace("GS*FA", group) + body + TAIL
    assert fate(whole.encode()) in ("business_rejected", "nothing")
    assert fate(whole.replace(old, new).encode()) == "a person"


def test_documents_between_answers_are_no_matter_of_answers() -> None:
    orders = GS.replace("FA", "PO") + "ST*850*0001~BEG*00*SA*1**20250131~SE*3*0001~GE*1*55~"
    assert fate((ISA + GS + BODY + "GE*1*55~" + orders + "IEA*2*000000801~").encode()) == "rejected"


SEGMENTS = re.findall("[^~]*~", REFUSAL)
HEARD = ("rejected", "a person")


@given(st.integers(0, len(SEGMENTS) - 1))
def test_whatever_segment_is_lost_the_refusal_is_heard(lost: int) -> None:
    assert fate("".join(SEGMENTS[:lost] + SEGMENTS[lost + 1 :]).encode()) in HEARD


@given(st.integers(0, len(REFUSAL) - 1), st.sampled_from(["", " ", "\n", "x", "0", "*", "~", "\x00"]), st.booleans())
def test_whatever_character_is_damaged_the_refusal_is_heard_or_does_not_name_the_document(
    at: int, character: str, inserted: bool
) -> None:
    damaged = REFUSAL[:at] + character + REFUSAL[at + (not inserted) :]
    found = fate(damaged.encode())
    # Damage inside of what names the group makes an answer to another one: that is kept, as one that matches nothing.
    assert found in (*HEARD, "unclear", "nothing")


@given(st.integers(1, len(REFUSAL) - 2))
def test_wherever_it_breaks_off_the_refusal_is_heard(end: int) -> None:
    assert fate(REFUSAL[:end].encode()) in (*HEARD, *(["not X12"] if end < 3 else []))


# -- much of it -----------------------------------------------------------------------------------------------------------------


def listed(body: str, group: str = "FA") -> bytes:
    return (ISA + GS.replace("FA", group) + body + TAIL).encode()


def test_of_many_faults_the_first_are_kept_and_the_rest_is_counted() -> None:
    many = "AK4*2*156*7*ZZ~" * 1000
    (received,) = read_answers([listed(BODY.replace("AK4*2*156*7*ZZ~", many).replace("SE*8", "SE*1007"))])
    assert isinstance(received.answer, GroupAnswer)
    (one,) = received.answer.sets
    assert (one.status, len(one.segments[0].elements), one.omitted) == ("R", MOST_KEPT - 1, 1001 - MOST_KEPT)
    assert len(msgspec.json.encode(received)) < 50_000
    (told,) = match([received], [SENT]).matched
    assert told.status == "rejected"
    assert (len(told.reasons), told.reasons[-1]) == (MOST_REASONS + 1, f"and {1000 - MOST_REASONS:,} more")


def test_of_many_complaints_and_lines_the_first_are_kept_and_the_rest_is_counted() -> None:
    advice = BUSINESS["824"][1].replace("TED*006*bad~", "TED*006*bad~" * 1000).replace("SE*5", "SE*1004")
    order = BUSINESS["855"][1].replace("SE*3", "PO1*1*1*EA~ACK*IR*1*EA~" * 500 + "SE*1003")
    (first, second) = (read_answers([listed(advice, "AG")])[0].answer, read_answers([listed(order, "PR")])[0].answer)
    assert isinstance(first, DocumentAdvice)
    assert isinstance(second, OrderAnswer)
    assert (len(first.complaints), first.omitted) == (MOST_KEPT, 1000 - MOST_KEPT)
    assert (len(second.lines), second.omitted) == (MOST_KEPT, 500 - MOST_KEPT)
    assert first.status == "TR"


def test_of_a_very_long_text_the_beginning_is_kept() -> None:
    (received,) = read_answers([listed(BODY.replace("*ZZ~", f"*{'Z' * 100_000}~"))])
    assert len(msgspec.json.encode(received)) < 2_000
    (told,) = match([received], [SENT]).matched
    assert (told.status, len(told.reasons[0]) < 1_100) == ("rejected", True)


def test_a_message_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    events = answer_reader.events

    def counted(chunks: list[bytes]) -> object:
        read.append(1)
        return events(chunks)

    monkeypatch.setattr(answer_reader, "events", counted)
    assert fate(REFUSAL.encode()) == "rejected"
    assert read == [1]


def test_what_cannot_be_read_is_told_with_its_place() -> None:
    unread = [one for one in reading([REFUSAL.replace("ST*997", "ST*997 ").encode()]) if isinstance(one, Unread)]
    assert [str(one) for one in unread] == [f"a set '997 ' in a group for 997 and 999 (byte {REFUSAL.index('ST*')})"]
