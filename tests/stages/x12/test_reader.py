from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.x12.checking.validator import validate
from stages.x12.reading.reader import NotX12, ReadHeader, ReadSegment, events, read
from stages.x12.reading.scanner import Damage
from stages.x12.showing.show import readable

relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(st.data())
@relaxed
def test_the_events_do_not_depend_on_how_the_input_is_cut(interchange: bytes, data: st.DataObject) -> None:
    payload = interchange + b"\r\n" + interchange
    cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=12)))
    pieces = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    assert list(read(pieces)) == list(read([payload]))


ELEMENT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*~>^"), max_size=12)
SEGMENT = st.tuples(
    st.text("ABCDEFGHJKLMNOPQRSTUVWXYZ0123456789", min_size=2, max_size=3).filter(lambda id: not id.startswith(("IS", "IE"))),
    st.lists(ELEMENT, max_size=8),
)  # fmt: skip


@given(body=st.lists(SEGMENT, max_size=30))
@relaxed
def test_writing_again_what_was_read_gives_the_same_bytes(
    interchange: bytes, body: list[tuple[str, list[str]]]
) -> None:
    """Empty elements in the middle and at the end, odd characters, segments nobody knows: reading loses nothing."""
    middle = "".join("*".join([id, *elements]) + "~" for id, elements in body).encode("ascii")
    payload = interchange[:106] + middle + b"IEA*1*000000017~"
    assert "".join("*".join(segment.fields) + "~" for segment in read([payload])).encode("ascii") == payload


def test_writing_again_a_whole_document_gives_the_same_bytes(interchange: bytes) -> None:
    assert "".join("*".join(segment.fields) + "~" for segment in read([interchange])).encode("ascii") == interchange


def test_byte_by_byte_is_no_different(interchange: bytes) -> None:
    assert list(read(bytes([b]) for b in interchange)) == list(read([interchange]))


@pytest.mark.parametrize("ending", [b"~\n", b"~\r\n", b"~   \r\n", b"\n", b"\r\n", b"\r", b"|", b"\x1c"])
def test_terminators_and_line_ends_of_all_kinds_are_read(interchange: bytes, ending: bytes) -> None:
    plain = list(read([interchange]))
    other = list(read([interchange.replace(b"~", ending)]))
    assert [(s.id, s.elements, s.position) for s in other] == [(s.id, s.elements, s.position) for s in plain]


def test_segments_know_where_they_are(interchange: bytes) -> None:
    segments = list(read([interchange]))
    tds = next(s for s in segments if s.id == "TDS")
    assert interchange[tds.offset :].startswith(b"TDS*14000~")
    assert (tds.number, tds.position) == (10, 8)
    assert [s.position for s in segments if s.id in ("ISA", "GS", "GE", "IEA")] == [0, 0, 0, 0]


def test_each_isa_brings_its_own_delimiters(interchange: bytes) -> None:
    headers = [s for s in read([interchange + interchange.replace(b"*", b"|")]) if isinstance(s, ReadHeader)]
    assert [header.delimiters.element for header in headers] == ["*", "|"]


def test_a_missing_last_terminator_is_forgiven(interchange: bytes) -> None:
    assert list(read([interchange[:-1]]))[-1].id == "IEA"


def test_a_header_that_lost_its_padding_is_read(interchange: bytes) -> None:
    squeezed = b"*".join(part.strip() for part in interchange.split(b"*"))
    header = next(iter(read([squeezed])))
    assert header[6] == "HARBORVALE"
    assert [s.id for s in read([squeezed])] == [s.id for s in read([interchange])]


@pytest.mark.parametrize(
    ("mark", "version", "expected"), [("U", "00401", ""), ("^", "00501", "^"), ("U", "00501", ""), ("^", "00401", "")]
)
def test_isa11_separates_repetitions_from_00402_on(interchange: bytes, mark: str, version: str, expected: str) -> None:
    payload = interchange.replace(b"*U*00401*", f"*{mark}*{version}*".encode())
    header = next(iter(read([payload])))
    assert isinstance(header, ReadHeader)
    assert header.delimiters.repetition == expected


@pytest.mark.parametrize(
    ("payload", "offset", "code", "why"),
    [
        (b"<html>", 0, "0401", "starts with ISA"),
        (b"  \nISB*", 3, "0401", "starts with ISA"),
        (b"ISA*00*", 0, "0402", "ends inside of the interchange header"),
        (b"ISA" + b"x" * 300, 0, "0402", "'x' cannot separate elements"),
        (b"ISA*" + b"x" * 600, 0, "0402", "does not have 16 elements"),
        (b"ISA" + b"*" * 300, 0, "0402", "does not end with a component separator and a terminator"),
    ],
)
def test_junk_is_a_typed_error_that_says_where(payload: bytes, offset: int, code: str, why: str) -> None:
    with pytest.raises(NotX12, match=why) as caught:
        list(read([payload]))
    assert (caught.value.offset, caught.value.code) == (offset, f"MLC-X12-{code}")


def test_an_input_that_stops_in_a_segment_is_an_error(interchange: bytes) -> None:
    with pytest.raises(NotX12, match="ends inside of a segment"):
        list(read([interchange[:300]]))


def test_a_segment_without_end_is_refused_before_it_fills_memory(interchange: bytes) -> None:
    fed = 0

    def endless() -> Iterator[bytes]:
        nonlocal fed
        yield interchange[:106]
        while True:
            fed += 1
            yield b"x" * 100_000

    with pytest.raises(NotX12, match="no segment terminator within"):
        list(read(endless()))
    assert fed < 15


@given(st.binary(max_size=400))
@relaxed
def test_any_bytes_are_read_or_refused(interchange: bytes, junk: bytes) -> None:
    for payload in (junk, interchange[:106] + junk, b"ISA" + junk):
        readable(payload)
        validate(payload)


def test_real_files_are_read_without_a_crash(samples: list[Path]) -> None:
    for sample in samples:
        payload = sample.read_bytes()
        try:
            segments: list[ReadSegment] = list(read([payload]))
        except NotX12:
            segments = []
        assert not segments or readable(payload)
        validate(payload)


# -- damage, and what is read around it ------------------------------------------------------------------------------------


def numbers(payload: bytes) -> list[str]:
    return [s[13] for s in events([payload]) if isinstance(s, ReadHeader)]


def damage(payload: bytes) -> list[tuple[str, int]]:
    return [(d.code, d.offset) for d in events([payload]) if isinstance(d, Damage)]


def numbered(interchange: bytes, number: int) -> bytes:
    return interchange.replace(b"000000017", b"%09d" % number)


def test_good_interchanges_around_junk_are_read(interchange: bytes) -> None:
    payload = numbered(interchange, 1) + b"\n-- 8< -- VISA*4111 --\n" + numbered(interchange, 2)
    assert numbers(payload) == ["000000001", "000000002"]
    assert damage(payload) == [("MLC-X12-0401", len(interchange) + 1)]


def test_good_interchanges_around_a_cut_off_one_are_read(interchange: bytes) -> None:
    cut = numbered(interchange, 2)[:300]
    payload = numbered(interchange, 1) + cut + numbered(interchange, 3)
    assert numbers(payload) == ["000000001", "000000002", "000000003"]
    assert damage(payload) == [("MLC-X12-0404", len(interchange) + cut.rindex(b"~") + 1)]


def test_good_interchanges_around_a_broken_header_are_read(interchange: bytes) -> None:
    broken = b"ISA*00*" + interchange[150:]
    payload = numbered(interchange, 1) + broken + numbered(interchange, 3)
    assert numbers(payload) == ["000000001", "000000003"]
    assert damage(payload) == [("MLC-X12-0402", len(interchange))]


def test_an_interchange_with_other_delimiters_ends_one_that_was_cut_off(interchange: bytes) -> None:
    other = numbered(interchange, 2).replace(b"~", b"\n").replace(b"*", b"|")
    assert numbers(interchange[:300] + other) == ["000000017", "000000002"]


def test_headers_alone_are_each_an_interchange(interchange: bytes) -> None:
    assert len(numbers(interchange[:106] * 30)) == 30


def test_damage_is_reported_once_until_the_next_interchange(interchange: bytes) -> None:
    assert damage(b"ISA*" * 300 + b"rubbish" + interchange) == [("MLC-X12-0402", 0)]


def test_an_iea_without_terminator_is_forgiven_when_another_interchange_follows(interchange: bytes) -> None:
    payload = interchange[:-1] + b"\r\n" + numbered(interchange, 2)
    assert (numbers(payload), damage(payload)) == (["000000017", "000000002"], [])


@pytest.mark.parametrize("text", ["VISA*IEA", "ISA 4111", "MISAPPLIED", "IEA"])
def test_data_that_looks_like_an_envelope_is_data(interchange: bytes, text: str) -> None:
    payload = interchange.replace(b"Blue widget", text.encode())
    assert damage(payload) == []
    assert [s.id for s in read([payload])] == [s.id for s in read([interchange])]


def test_a_terminator_of_several_bytes_is_one_terminator(interchange: bytes) -> None:
    payload = interchange.replace(b"~", "…\n".encode())
    header, *segments = read([payload])
    assert isinstance(header, ReadHeader)
    assert header.delimiters.segment == "…"
    assert [(s.id, s.elements) for s in segments] == [(s.id, s.elements) for s in list(read([interchange]))[1:]]
    assert all(payload[s.offset :].startswith(s.id.encode()) for s in segments)


@pytest.mark.parametrize("ending", [b"~", b"~\n", b"~\r\n"])
def test_a_missing_component_separator_is_told_from_one(interchange: bytes, ending: bytes) -> None:
    payload = (interchange[:104] + interchange[105:]).replace(b"~", ending)
    header, *segments = read([payload])
    assert isinstance(header, ReadHeader)
    assert (header.delimiters.component, header.delimiters.segment) == ("", "~")
    assert [s.id for s in segments] == [s.id for s in list(read([interchange]))[1:]]


def test_several_groups_and_a_ta1_before_them_are_read(interchange: bytes) -> None:
    group = interchange[106 : interchange.index(b"IEA")]
    payload = interchange[:106] + b"TA1*000000001*250131*1200*A*000~" + group * 2 + b"IEA*2*000000017~"
    read_ids = [s.id for s in read([payload])]
    assert (read_ids[1], read_ids.count("GS"), read_ids[-1]) == ("TA1", 2, "IEA")


def test_utf_8_is_read_as_such_and_latin_1_too(interchange: bytes) -> None:
    for encoding in ("utf-8", "latin-1"):
        payload = interchange.replace(b"Blue widget", "Blé".encode(encoding))
        assert next(s for s in read([payload]) if s.id == "PID")[5] == "Blé"


@given(st.data())
@relaxed
def test_neither_segments_nor_damage_depend_on_how_the_input_is_cut(interchange: bytes, data: st.DataObject) -> None:
    parts = [
        interchange, interchange[:300], interchange.replace(b"~", b"\n"), interchange.replace(b"*", b"|"), b"junk ISA*x ",
        b"ISA*00*", interchange[:106], interchange[:-1], b"\r\n", "…é".encode(),
    ]  # fmt: skip
    payload = b"".join(data.draw(st.lists(st.sampled_from(parts), max_size=5)))
    at = data.draw(st.integers(0, len(payload)))
    payload = payload[:at] + data.draw(st.binary(max_size=3)) + payload[at:]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=8)))
    pieces = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    assert list(events(pieces)) == list(events([payload]))


@given(st.data())
@relaxed
def test_offsets_point_at_the_segments(interchange: bytes, data: st.DataObject) -> None:
    ending = data.draw(st.sampled_from([b"~", b"~\n", b"~\r\n  ", b"\n", b"\r\n"]))
    payload = b"\xef\xbb\xbf\n" + interchange.replace(b"~", ending) + b" " + interchange
    for segment in read([payload]):
        assert payload[segment.offset :].startswith(segment.id.encode())


def test_a_long_bill_is_read_in_bounded_memory(interchange: bytes) -> None:
    start, end = interchange.index(b"IT1*"), interchange.index(b"TDS")
    lines = interchange[start:end] * 200

    def chunks() -> Iterator[bytes]:
        yield interchange[:start]
        for _ in range(250):
            yield lines
        yield interchange[end:]

    tracemalloc.start()
    try:
        count = sum(1 for _ in read(chunks()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 250 * 200 * 3 + 11
    assert peak < 2_000_000


@pytest.mark.parametrize("element", ["\x1d", "\x1f", "\t"])
def test_a_control_character_may_separate_elements(element: str) -> None:
    """Our own guides may choose one, and what we write we must be able to read."""
    text = (Path(__file__).parents[2] / "golden" / "x12" / "810_purchased.edi").read_text()
    payload = text.replace(text[3], element).encode()
    assert [found for found in validate(payload) if found.severity == "error"] == []
