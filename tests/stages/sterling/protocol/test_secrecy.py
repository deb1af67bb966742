from __future__ import annotations

import html
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.sterling.protocol.resources import cell, plain
from stages.sterling.protocol.secrecy import is_secret, secrets_of, struck, without_secrets

CANARY = "hunter2-canary"


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        ({}, []),
        ({"timeZone": "-05", "isListeningConsumer": True, "keyEnabled": True, "authorizedUserKeyName": "K"}, []),
        ({"consumerFtpConfiguration": {"hostname": "h", "password": "canary"}}, ["canary"]),
        ({"a": [{"apiKey": "k1", "sshPassphrase": "k2", "port": 22}], "clientSecret": "k1"}, ["k1", "k2"]),
        ({"credentials": {"user": "u", "other": ["w"]}}, ["u", "w"]),
        ({"pin": 1234, "pinboard": "p", "password": "", "token": None}, ["1234"]),
        ({"customProtocolExtensions": "host:h,password:canary, token : t"}, ["canary", "t"]),
    ],
)
def test_texts_that_a_name_marks_as_secret_are_known(settings, secrets):
    assert [secret.reveal() for secret in secrets_of(settings)] == secrets


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "sshPassphrase",
        "remotePwd",
        "identitySecret",
        "access_token",
        "privateKey",
        "credentials",
        "user_pin",
        "apiKey",
    ],
)
def test_secrets_are_told_by_their_names(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["publicKeyID", "authorizedUserKeyName", "passiveMode", "pinboard", "mapping", "userIdentityKey"]
)
def test_other_names_are_not_taken_for_secrets(name):
    assert not is_secret(name)


TEXTS = [
    ("host:x,password:{},port:22", "host:x,password:***,port:22"),
    ("user=a, password={}", "user=a, password=***"),
    ("password={}&user=a", "password=***&user=a"),
    ("user=a password={} b=c", "user=a password=*** b=c"),
    ("a=1\npassword = {}\nb=2", "a=1\npassword = ***\nb=2"),
    ("db.password={}", "db.password=***"),
    ('{{"user": "a", "password": "{}"}}', '{{"user": "a", "password": "***"}}'),
    ("sftp://user:{}@host/x", "sftp://user:***@host/x"),
    ("<p><password>{}</password></p>", "<p><password>***</password></p>"),
    ("<assign to='password'>{}</assign>", "<assign to='password'>***</assign>"),
    ('<assign to="password" from="\'{}\'"/>', '<assign to="password" from="***"/>'),
    ("<param name='sftp.passphrase'><value>{}</value></param>", "<param name='sftp.passphrase'>***</param>"),
    ('<ftp host="h" password="{}"/>', '<ftp host="h" password="***"/>'),
]


@pytest.mark.parametrize(("text", "shown"), TEXTS)
def test_secrets_in_texts_are_struck_out_and_the_rest_stays(text, shown):
    assert struck(text.format(CANARY)) == shown.format("")


@pytest.mark.parametrize(
    "text",
    [
        "<password><![CDATA[{}]]></password>",
        '<process name="ChangePassword"><assign to="Password">{}</assign></process>',
        'before {{\\"password\\":\\"{}\\"}}',
        "password:'{}'",
        'password: ["{}"]',
        "<password>{}",
    ],
)
def test_secrets_in_texts_of_other_forms_do_not_get_out(text):
    assert CANARY not in struck(text.format(CANARY))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Riverbend: 5 rows, a=b",
        "<process name='p'><assign to='x'>y</assign></process>",
        "http://host:80/x@y",
        "810_A.edi",
    ],
)
def test_texts_without_secrets_stay_as_they_are(text):
    assert struck(text) == text


def test_a_process_keeps_its_steps():
    text = "<process name='SetPassword'><operation name='FTP'><assign to='host'>h</assign></operation></process>"
    assert struck(text) == text


def test_a_large_text_is_read_in_one_go():
    for text in ("a" * 2_000_000, "password " * 200_000, " " * 1_000_000 + "password", "<a b='" * 100_000 + "password"):
        struck(text)


NAMES = st.sampled_from(
    ["password", "consumerPassword", "passphrase", "identitySecret", "apiKey", "pin", "credentials", "token"]
)
PLAIN = st.sampled_from(["a", "host", "customProtocolExtensions", "bpNameValuePairs", "items"])


def _in_text(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            f"host:x,{name}:{CANARY}", f"a=b;{name}={CANARY};c=d", json.dumps({"a": {name: CANARY}}),
            f"<x><{name}>{html.escape(CANARY)}</{name}></x>", f"<assign to='{name}'>{CANARY}</assign>",
        ]
    )  # fmt: skip


SECRETS = NAMES.flatmap(
    lambda name: st.one_of(
        st.sampled_from(
            [{name: CANARY}, {name: {"value": [CANARY]}}, {"name": name, "value": CANARY}, {name: [{"a": CANARY}]}]
        ),
        _in_text(name),
        st.just({name: {"code": CANARY, "display": CANARY}}),
    )
)
DEEP = st.recursive(
    SECRETS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(PLAIN, inner, max_size=3)),
    max_leaves=6,
)


@given(DEEP)
def test_no_secret_gets_out_of_a_row_at_any_depth(value: Any) -> None:
    row = plain({"_id": "1", "field": value})
    assert CANARY not in json.dumps(row)
    assert CANARY not in "".join(map(cell, row.values()))
    assert without_secrets(row) == row
