from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from pipeline import DataError
from stages.sterling.protocol import addresses


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("ACME", "tradingpartners/ACME"),
        ("Riverbend Produce", "tradingpartners/Riverbend%20Produce"),
        ("a|b", "tradingpartners/a%7Cb"),
        ("n:1:2", "tradingpartners/n:1:2"),
        ("50%", "tradingpartners/50%25"),
        ("a?b#c", "tradingpartners/a%3Fb%23c"),
        ("Ü", "tradingpartners/%C3%9C"),
    ],
)
def test_id_is_one_encoded_segment(key, path):
    assert addresses.item("tradingpartners", key) == path


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "../x", "a\\b", "a\r\nb", "a\x00", "x" * 256])
def test_id_that_could_leave_its_place_is_refused(key):
    with pytest.raises(DataError):
        addresses.item("tradingpartners", key)


@given(st.text(max_size=40))
def test_no_id_leaves_the_prefix_it_is_put_under(key):
    try:
        path = addresses.item("tradingpartners", key)
    except DataError:
        return
    url = URL(f"http://h/B2BAPIs/svc/{path}", encoded=True)
    assert url.raw_path.startswith("/B2BAPIs/svc/tradingpartners/")
    assert url.parts[-1] == key
    assert not url.query_string
    assert not url.fragment


def test_mailbox_paths_stay_raw_in_a_query():
    assert addresses.query({"path": "/A B/In", "_range": "0-999"}) == "path=/A%20B/In&_range=0-999"
