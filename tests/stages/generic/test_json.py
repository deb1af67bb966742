"""`generic.json`: a record is written down with the digits it has, and a version is told by the fields."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipeline import Context, DataError, Stored
from pipeline.testing import record
from stages.generic.json import Json, JsonConfig

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Bill(msgspec.Struct):
    number: str
    total: Decimal


@pytest.fixture
def encode(context: Context) -> Json:
    return Json(JsonConfig(partner="RIVERBEND", address="/R", batch=50), context)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"total": Decimal("12.50"), "paid": None}, b'{"total":12.50,"paid":null}'),
        (Bill("INV-1", Decimal("0.10")), b'{"number":"INV-1","total":0.10}'),
        ("just text", b'{"bill":"just text"}'),
        ([1, 2], b'{"bill":[1,2]}'),
    ],
)
def test_a_body_is_written_with_the_digits_it_has(encode: Json, body: Any, text: bytes) -> None:
    [document] = encode.render(record("bill", body=body))
    assert document.body == text


def test_a_document_goes_where_the_settings_say(encode: Json) -> None:
    [document] = encode.render(record("bill", x=1))
    assert (document.set, document.partner, document.address, document.batch) == ("json", "RIVERBEND", "/R", 50)


def test_the_fingerprint_changes_exactly_with_the_named_fields(encode: Json) -> None:
    [before] = encode.render(record("bill", total=Decimal("1.0"), state="Posted"))
    [after] = encode.render(record("bill", total=Decimal("1.0"), state="Paid"))
    assert before.fields == ("state", "total")
    assert before.fingerprint is not None
    assert after.fingerprint is not None
    assert before.fingerprint(("total",)) == after.fingerprint(("total",))
    assert before.fingerprint(("state", "total")) != after.fingerprint(("state", "total"))


@pytest.mark.parametrize("body", [{"x": object()}, {1: {2, 3}, "f": print}])
def test_what_json_cannot_hold_concerns_this_record_only(encode: Json, body: Any) -> None:
    with pytest.raises(DataError) as caught:
        encode.render(record("bill", body=body))
    assert caught.value.code == "MLC-GEN-0020"


def test_a_pack_is_json_lines_in_source_order(encode: Json) -> None:
    stored = [
        Stored(id=number, set="json", partner="RIVERBEND", body=b"{%d}" % number, envelope={}, version=1)
        for number in (1, 2)
    ]
    [counter] = encode.counters(stored)
    assert counter.count == 1
    assert encode.pack(stored, {counter.name: 7}, NOON) == b"{1}\n{2}\n"


@pytest.mark.parametrize("settings", [{"partner": "a/b"}, {"partner": ""}, {"batch": 0}, {"colour": "red"}])
def test_settings_out_of_bounds_or_unknown_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, JsonConfig)


def test_records_of_different_fields_are_written_by_different_plans(encode: Json) -> None:
    [first], [same], [other] = (
        encode.render(record("bill", body=body)) for body in ({"a": 1, "b": 2}, {"b": 3, "a": 4}, {"a": 1})
    )
    assert first.plan == same.plan != ""
    assert other.plan != first.plan
