from __future__ import annotations

import msgspec
import pytest

from pipeline import ConfigError, Secret
from stages.sterling.config import Auth, Basic, Header, OAuth2, SterlingConfig, Tls, checked, is_loopback

BASIC = Auth(basic=Basic(user="connector", password=Secret("canary-x")))
OAUTH = OAuth2(token_url="https://id.example/token", client_id="c", client_secret=Secret("canary-y"))


def config(**members):
    return SterlingConfig(**{"url": "https://b2b.example:5075/B2BAPIs/svc", "auth": BASIC, **members})


@pytest.mark.parametrize("url", ["http://127.0.0.1:5074/B2BAPIs/svc", "http://localhost/x", "http://[::1]:1/x"])
def test_plain_http_is_allowed_to_this_machine(url):
    assert checked(config(url=url)).scheme == "basic"


@pytest.mark.parametrize(
    "auth",
    [BASIC, Auth(oauth2=OAUTH), Auth(header=Header(name="X-Key", value=Secret("k")))],
    ids=["basic", "oauth2", "header"],
)
@pytest.mark.parametrize("host", ["b2b.example", "10.0.0.5", "127.0.0.1.evil.example", "localhost.evil.example"])
def test_no_credential_crosses_a_network_in_plain_http(auth, host):
    with pytest.raises(ConfigError) as caught:
        checked(config(url=f"http://{host}/B2BAPIs/svc", auth=auth))
    assert all((caught.value.what, caught.value.where, caught.value.why, caught.value.mend))
    assert "canary" not in str(caught.value)


def test_token_server_must_be_https_too():
    auth = Auth(oauth2=msgspec.structs.replace(OAUTH, token_url="http://id.example/token"))
    with pytest.raises(ConfigError, match="token_url"):
        checked(config(auth=auth))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "b2b:5074",
        "ftp://b2b/x",
        "https://",
        "https://u:canary@b2b/x",
        "https://b2b/x?a=1",
        "https://b2b/x#f",
        "https://b:x/",
    ],
)
def test_unusable_address_is_refused_without_being_quoted(url):
    with pytest.raises(ConfigError) as caught:
        checked(config(url=url))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("auth", "scheme"),
    [
        (BASIC, "basic"),
        (Auth(oauth2=OAUTH), "oauth2"),
        (Auth(basic=BASIC.basic, oauth2=OAUTH), "oauth2"),
        (Auth(basic=BASIC.basic, oauth2=OAuth2(client_id="c")), "basic"),
        (Auth(header=Header(name="X-Key", value=Secret("k"))), "header"),
    ],
)
def test_oauth_is_used_when_its_token_url_is_set_and_basic_otherwise(auth, scheme):
    assert checked(config(auth=auth)).scheme == scheme


@pytest.mark.parametrize(
    "auth",
    [
        Auth(),
        Auth(basic=Basic(user="u")),
        Auth(basic=Basic(password=Secret("canary"))),
        Auth(oauth2=OAuth2(token_url="https://id.example/t", client_id="c")),
        Auth(header=Header(name="X-Key")),
        Auth(basic=BASIC.basic, header=Header(name="X-Key", value=Secret("canary"))),
        Auth(oauth2=OAUTH, header=Header(name="X-Key", value=Secret("canary"))),
        Auth(basic=Basic(user="a:b", password=Secret("canary"))),
        Auth(header=Header(name="X-Key", value=Secret("canary\r\nX: y"))),
        Auth(header=Header(name="X Key", value=Secret("canary"))),
    ],
)
def test_exactly_one_complete_sign_in_is_needed(auth):
    with pytest.raises(ConfigError) as caught:
        checked(config(auth=auth))
    assert "canary" not in str(caught.value)


def test_client_key_needs_its_certificate():
    with pytest.raises(ConfigError, match="client_certificate"):
        checked(config(tls=Tls(client_key="key.pem")))


def test_broken_administrator_pattern_is_named():
    with pytest.raises(ConfigError, match="administrator_groups"):
        checked(config(administrator_groups="("))


def test_no_secret_is_in_the_settings_repr():
    assert "canary" not in repr(config(auth=Auth(basic=BASIC.basic, oauth2=OAUTH)))


@pytest.mark.parametrize("member", ["urls", "auth2"])
def test_unknown_setting_is_refused(member):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": "https://x/y", member: 1}, SterlingConfig)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example", False)],
)
def test_loopback_is_decided_by_the_literal_host(host, loopback):
    assert is_loopback(host) is loopback
