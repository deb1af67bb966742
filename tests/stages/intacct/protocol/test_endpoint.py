"""Where a sign-in may send us."""

from __future__ import annotations

import pytest
from yarl import URL

from stages.intacct.protocol.endpoint import accept_endpoint

REAL = URL("https://api.intacct.com/ia/xml/xmlgw.phtml")
LOCAL = URL("http://127.0.0.1:8901/ia/xml/xmlgw.phtml")
PRIVATE = URL("https://erp.example.com:8443/gw")


@pytest.mark.parametrize(
    ("text", "configured"),
    [
        ("https://api.intacct.com/ia/xml/xmlgw.phtml", REAL),
        ("https://NA99.Intacct.com/ia/xml/xmlgw.phtml", REAL),
        ("https://na99.example.intacct.com/ia/xml/xmlgw.phtml", REAL),
        ("https://api.intacct.com:443/ia/xml/xmlgw.phtml", REAL),
        ("https://api.intacct.com./ia/xml/xmlgw.phtml", REAL),
        ("https://api.intacct.com/ia/xml/xmlgw.phtml", LOCAL),
        ("http://127.0.0.1:8901/other/path", LOCAL),
        ("http://127.0.0.1:9999/ia/xml/xmlgw.phtml", LOCAL),
        ("http://localhost:9999/x", LOCAL),
        ("http://[::1]:9999/x", LOCAL),
        ("https://erp.example.com:8443/another", PRIVATE),
    ],
)
def test_a_trusted_endpoint_is_accepted(text: str, configured: URL) -> None:
    accepted = accept_endpoint(text, configured)
    assert accepted is not None
    assert accepted.path == URL(text).path


@pytest.mark.parametrize(
    "text",
    [
        "http://api.intacct.com/ia/xml/xmlgw.phtml",
        "https://evilintacct.com/ia/xml/xmlgw.phtml",
        "https://intacct.com.evil.com/",
        "https://api.intacct.com.evil.com/ia/xml/xmlgw.phtml",
        "https://api.intacct.com@evil.com/ia/xml/xmlgw.phtml",
        "https://user:pw@api.intacct.com/",
        "https://api.intacct.com:8443/ia/xml/xmlgw.phtml",
        "https://evil.com/#.intacct.com",
        "https://api.intacct.com/#fragment",
        "https://api.intacct.com/?next=evil",
        "https://evil.com\\.intacct.com/",
        "https://evil.com%2f.intacct.com/",
        "https://evil.com\t.intacct.com/",
        "https://\u0456ntacct.com/",
        "https://api.\u0456ntacct.com/",
        "https://api.intacct.com\u3002evil.com/",
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8901/x",
        "https://x:99999/",
        "https:///nohost",
        "/ia/xml/xmlgw.phtml",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://" + "a" * 5000 + ".intacct.com/",
        "",
    ],
)
def test_an_endpoint_elsewhere_is_refused(text: str) -> None:
    assert accept_endpoint(text, REAL) is None


def test_the_configured_host_on_another_port_is_refused_unless_it_is_this_machine() -> None:
    assert accept_endpoint("https://erp.example.com:9443/gw", PRIVATE) is None


def test_https_is_never_given_up_for_http_on_the_configured_host() -> None:
    assert accept_endpoint("http://erp.example.com:8443/gw", PRIVATE) is None


@pytest.mark.parametrize(
    ("allowed", "text", "accepted"),
    [
        (["gw.example.com"], "https://gw.example.com/x", True),
        (["gw.example.com"], "https://gw.example.com:8443/x", False),
        (["gw.example.com:8443"], "https://gw.example.com:8443/x", True),
        (["GW.example.com"], "https://gw.EXAMPLE.com/x", True),
        (["gw.example.com"], "http://gw.example.com/x", False),
        (["example.com"], "https://gw.example.com/x", False),
    ],
)
def test_allowed_hosts_are_exact(allowed: list[str], text: str, accepted: bool) -> None:
    assert (accept_endpoint(text, REAL, allowed) is not None) is accepted
