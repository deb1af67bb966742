"""The settings of a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stages.intacct.config import IntacctConfig

URL = "https://api.intacct.com/ia/xml/xmlgw.phtml"


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080/x", "http://localhost/x", "https://gw.example.com:8443/x"])
def test_an_address_is_accepted(config_for: Callable[..., IntacctConfig], url: str) -> None:
    assert config_for(url).url == url


@pytest.mark.parametrize(
    "url", ["", "api.intacct.com", "http://api.intacct.com/x", "https://u:p@api.intacct.com/", "ftp://x/y"]
)
def test_an_address_that_cannot_be_used_is_refused(config_for: Callable[..., IntacctConfig], url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        config_for(url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_size", 0),
        ("page_size", 2001),
        ("concurrency", 0),
        ("max_bytes", 1),
        ("company_id", " "),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("read_timeout", 0.0),
        ("lag", -1.0),
        ("overlap", -1.0),
        ("look_back", 400 * 86_400.0),
        ("look_back_every", 2 * 86_400.0),
        ("currency", "usd"),
        ("currency", "US dollars"),
    ],
)
def test_a_setting_out_of_bounds_is_refused(config_for: Callable[..., IntacctConfig], name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        config_for(URL, **{name: value})


@pytest.mark.parametrize("currency", ["", "USD"])
def test_a_currency_is_a_code_or_unset(config_for: Callable[..., IntacctConfig], currency: str) -> None:
    assert config_for(URL, currency=currency).currency == currency


def test_the_company_of_records_names_the_entity(config_for: Callable[..., IntacctConfig]) -> None:
    assert config_for(URL).company == "acme"
    assert config_for(URL, location_id="WEST").company == "acme/WEST"
    assert config_for(URL, client_id="child", location_id="WEST").company == "acme|child/WEST"


def test_no_secret_shows_in_the_settings(config_for: Callable[..., IntacctConfig]) -> None:
    assert "canary" not in repr(config_for(URL))


def test_a_long_overlap_needs_no_longer_look_back(config_for: Callable[..., IntacctConfig]) -> None:
    assert config_for(URL, overlap=3 * 86_400.0).overlap == 3 * 86_400.0
