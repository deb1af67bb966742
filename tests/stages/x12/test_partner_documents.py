"""`x12.documents`: each business document of a message by itself, byte for byte, readable as the interchange it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import DataError, Excluded, Record
from stages.x12.answering.documents import Documents, DocumentsSettings, PartnerDocument
from stages.x12.reading.reader import read


def head(mark: str = "~", element: str = "*") -> str:
    text = "ISA*00*          *00*          *01*0812345678     *ZZ*HARBORVALE     *250131*1305*U*00401*000000801*0*P*>~"
    return text.replace("*", element).replace("~", mark)


def order(control: str, code: str = "850") -> str:
    return f"ST*{code}*{control}~BEG*00*SA*PO-{control}**20250131~SE*3*{control}~"


def group(number: int, *sets: str, kind: str = "PO") -> str:
    return f"GS*{kind}*0812345678*HARBORVALE*20250131*1305*{number}*X*004010~{''.join(sets)}GE*{len(sets)}*{number}~"


def whole(*groups: str, ta1: str = "") -> str:
    return f"{head()}{ta1}{''.join(groups)}IEA*{len(groups)}*000000801~"


class Message:
    partner = "RIVERBEND"

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


def taken(payload: bytes | str, *sets: str) -> list[PartnerDocument]:
    data = payload if isinstance(payload, bytes) else payload.encode("latin-1")
    record = Record(key="78", kind="message", object="message", body=Message(data), label="a.edi", raw=data)
    found = Documents(DocumentsSettings(sets=sets))(record)
    assert {(each.key, each.kind, each.raw) for each in found} == {("78", "document", b"")}
    return [each.body for each in found]


def test_each_set_comes_with_its_own_envelope() -> None:
    first, second, third = taken(whole(group(1, order("0001"), order("0002")), group(2, order("0001"))))
    assert first.payload.decode() == whole(group(1, order("0001")))
    assert second.payload.decode() == whole(group(1, order("0002")))
    assert third.payload.decode() == whole(group(2, order("0001")))
    assert [one.place for one in (first, second, third)] == [1, 2, 3]
    assert (first.set, first.control, first.group, first.group_number, first.version) == (
        "850",
        "0001",
        "PO",
        "1",
        "004010",
    )
    assert (first.sender, first.receiver, first.usage, first.partner) == (
        "01:0812345678",
        "ZZ:HARBORVALE",
        "P",
        "RIVERBEND",
    )
    assert first.segments[1] == ("BEG", "00", "SA", "PO-0001", "", "20250131")


def test_answers_are_left_to_those_who_match_them_unless_they_are_asked_for() -> None:
    answer = "ST*997*0001~AK1*IN*17~AK9*A*1*1*1~SE*4*0001~"
    payload = whole(group(1, order("0001")), group(2, answer, kind="FA"), ta1="TA1*000000009*250131*1200*A*000~")
    assert [one.set for one in taken(payload)] == ["850"]
    assert [one.set for one in taken(payload, "997", "850")] == ["850", "997"]
    with pytest.raises(Excluded) as caught:
        taken(whole(group(2, answer, kind="FA")))
    assert caught.value.rule == "no document"


@pytest.mark.parametrize("payload", [b"", b"sku;price\n", b"PK\x03\x04"])
def test_what_is_no_x12_is_excluded(payload: bytes) -> None:
    with pytest.raises(Excluded) as caught:
        taken(payload)
    assert caught.value.rule == "not X12"


@pytest.mark.parametrize("cut", [30, 150, 200])
def test_a_damaged_message_gives_no_document_at_all(cut: int) -> None:
    with pytest.raises(DataError) as caught:
        taken(whole(group(1, order("0001"), order("0002")))[:cut])
    assert caught.value.code == "MLC-X12-0603"


def test_a_body_without_bytes_is_a_fault_of_the_flow() -> None:
    with pytest.raises(DataError) as caught:
        Documents(DocumentsSettings())(Record(key="1", kind="bill", body={"x": 1}))
    assert caught.value.code == "MLC-X12-0602"


MARKS = st.sampled_from([("~", "*"), ("\x1c", "\x1d"), ("\n", "*"), ("~\r\n", "|"), ("\x85", "*")])


@given(MARKS, st.lists(st.lists(st.text("AZ 09Ä", max_size=6), min_size=1, max_size=3), min_size=1, max_size=3))
def test_whatever_the_separators_the_documents_are_the_sets_that_were_sent(marks: tuple[str, str], texts: Any) -> None:
    mark, element = marks
    sets = [[f"ST*850*{n:04d}~REF*ZZ*{text}~SE*3*{n:04d}~" for n, text in enumerate(one, 1)] for one in texts]
    groups = [group(n, *one) for n, one in enumerate(sets, 1)]
    payload = head(mark, element) + "".join(groups).replace("*", element).replace("~", mark)
    payload += f"IEA*{len(groups)}*000000801~".replace("*", element).replace("~", mark)
    found = taken(payload)
    sent = [one.replace("*", element).replace("~", mark).encode("latin-1") for group_ in sets for one in group_]
    assert len(found) == len(sent)
    for one, body in zip(found, sent, strict=True):
        assert body in one.payload
        assert [segment.id for segment in read([one.payload])] == ["ISA", "GS", "ST", "REF", "SE", "GE", "IEA"]
