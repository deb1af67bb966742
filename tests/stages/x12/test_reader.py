from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.x12.reader import NotX12, ReadHeader, ReadSegment, read
from stages.x12.show import readable
from stages.x12.validator import validate

relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(st.data())
@relaxed
def test_the_events_do_not_depend_on_how_the_input_is_cut(interchange: bytes, data: st.DataObject) -> None:
    payload = interchange + b"\r\n" + interchange
    cuts = sorted(data.draw(st.lists(st.integers(0, len(payload)), max_size=12)))
    pieces = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    assert list(read(pieces)) == list(read([payload]))


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
    ("payload", "offset", "why"),
    [
        (b"<html>", 0, "starts with ISA"),
        (b"  \nISB*", 3, "starts with ISA"),
        (b"ISA*00*", 0, "ends inside of the interchange header"),
        (b"ISA" + b"x" * 300, 0, "'x' cannot separate elements"),
        (b"ISA*" + b"x" * 300, 0, "does not have 16 elements"),
        (b"ISA" + b"*" * 300, 0, "does not end with a component separator and a terminator"),
    ],
)
def test_junk_is_a_typed_error_that_says_where(payload: bytes, offset: int, why: str) -> None:
    with pytest.raises(NotX12, match=why) as caught:
        list(read([payload]))
    assert (caught.value.offset, caught.value.code) == (offset, "MLC-X12-0401")


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
