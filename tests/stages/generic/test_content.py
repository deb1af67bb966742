"""`generic.content`: bytes pass as they are, under a name that tells the record and is safe anywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import DataError, Record, Stored
from stages.generic.content import Content, ContentConfig


class Body:
    def __init__(self, payload: Any, **more: Any) -> None:
        self.payload = payload
        self.__dict__.update(more)


def record(body: Any, key: str = "78", label: str = "prices.csv") -> Record:
    return Record(key=key, kind="message", body=body, label=label)


def rendered(
    body: Any, *, key: str = "78", label: str = "prices.csv", version: int = 1, company: str = "", **settings: Any
) -> tuple[Any, str]:
    encoder = Content(ContentConfig(**settings))
    (document,) = encoder.render(record(body, key, label).replace(company=company))
    stored = Stored(1, document.set, document.partner, document.body, document.envelope, version)
    assert encoder.counters([stored]) == []
    return document, encoder.title([stored])


def test_the_bytes_pass_as_they_are() -> None:
    payload = bytes(range(256))
    for body in (payload, Body(payload), {"payload": payload, "other": 1}):
        document, name = rendered(body)
        stored = Stored(1, document.set, document.partner, document.body, document.envelope, 1)
        assert Content(ContentConfig()).pack([stored], {}, None) == payload  # type: ignore[arg-type]
        assert (name, document.set, document.partner, document.address) == (
            "78_prices.csv",
            "message",
            "files",
            "files",
        )


def test_the_partner_of_the_body_is_lane_and_folder_unless_an_address_is_set() -> None:
    assert [
        rendered(Body(b"", partner="AA"))[0].address,
        rendered(Body(b"", partner="AA"), address="all")[0].address,
    ] == ["AA", "all"]
    assert rendered(Body(b"", partner=""), partner="lost")[0].partner == "lost"


def test_several_documents_of_one_record_are_told_apart() -> None:
    made = [rendered(Body(b"x", place=n)) for n in (1, 2)]
    assert [(document.set, name) for document, name in made] == [
        ("message-1", "78-1_prices.csv"),
        ("message-2", "78-2_prices.csv"),
    ]


def test_records_of_two_companies_or_servers_with_one_key_have_names_of_their_own() -> None:
    names = [rendered(b"x", company=company)[1] for company in ("", "one.example", "other.example")]
    assert names[0] == "78_prices.csv"
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"78-[0-9a-f]{6}_prices\.csv", name) for name in names[1:])


def test_a_later_version_has_a_name_of_its_own() -> None:
    assert rendered(b"x", version=2)[1] == "78_v2_prices.csv"


def test_another_content_is_another_document() -> None:
    prints = [rendered(payload)[0].fingerprint(()) for payload in (b"a", b"a", b"b")]
    assert prints[0] == prints[1] != prints[2]


@given(st.text(min_size=1, max_size=40), st.text(max_size=300))
def test_a_name_is_safe_anywhere_whatever_the_far_side_called_it(key: str, label: str) -> None:
    name = rendered(b"", key=key, label=label)[1]
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name)


def test_a_long_name_keeps_its_end() -> None:
    assert rendered(b"", label="x" * 300 + ".csv")[1].endswith("xxx.csv")


@pytest.mark.parametrize("body", [None, "text", {"payload": 1}, Body("text")])
def test_what_has_no_bytes_is_refused(body: Any) -> None:
    with pytest.raises(DataError) as caught:
        rendered(body)
    assert caught.value.code == "MLC-GEN-0021"
