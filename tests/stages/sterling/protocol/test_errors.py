from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import (
    ConfigError,
    PermissionDenied,
    RefusedError,
    Secret,
    SignInRefused,
    ThrottledError,
    TransientError,
)
from stages.sterling.protocol.answer import Answer
from stages.sterling.protocol.errors import Call, ExistsError, ForeignError, NotFoundError, NotOfferedError, judge
from stages.sterling.protocol.known import CODES, known

NOW = datetime(2024, 1, 31, 12, tzinfo=UTC)
READ = Call(doing="list things", where="GET things/ at b2b:5075")
WRITE = Call(doing="make a thing", where="POST things/ at b2b:5075", writes=True)
OAUTH = Call(doing="make a thing", where="POST things/ at b2b:5075", writes=True, oauth=True)
PAGE = b"<html><body>An error page</body></html>"


def own(status: int, text: str) -> Answer:
    return Answer(status=status, body=json.dumps({"errorCode": status, "errorDescription": text}).encode())


TABLE = [
    # Sterling's own answers: definite.
    ("already exists", own(400, "API000001: Mailbox already exists."), WRITE, ExistsError),
    ("duplicate", own(400, "Duplicate RoutingRule X"), WRITE, ExistsError),
    ("conflict", own(409, "Conflict."), WRITE, ExistsError),
    ("not found in a 400", own(400, "API000464: User x could not be found."), WRITE, NotFoundError),
    ("not found by code alone", own(400, "API000464"), WRITE, NotFoundError),
    ("not found", own(404, ""), READ, NotFoundError),
    ("bad data", own(400, "API000175: Could not save: API000452: User ID not valid."), WRITE, RefusedError),
    ("server defect", own(400, "java.lang.NullPointerException"), WRITE, TransientError),
    ("not offered", own(405, "No."), WRITE, NotOfferedError),
    ("too large", own(413, "Too large."), WRITE, RefusedError),
    ("unprocessable", own(422, "No."), WRITE, RefusedError),
    ("forbidden", own(403, "API000009: No."), WRITE, PermissionDenied),
    ("forbidden read", own(403, "API000009: No."), READ, PermissionDenied),
    ("throttled", own(429, "Slow down."), WRITE, ThrottledError),
    ("own 500 with a code", own(500, "API000001: Oops."), WRITE, TransientError),
    # Pages: somebody else may be speaking.
    ("page 400", Answer(status=400, body=PAGE), WRITE, ForeignError),
    ("page 404 to a write", Answer(status=404, body=PAGE), WRITE, ForeignError),
    ("page 404 to a read", Answer(status=404, body=PAGE), READ, ForeignError),
    ("page 403 to a write", Answer(status=403, body=PAGE), WRITE, ForeignError),
    ("page 403 to a read", Answer(status=403, body=PAGE), READ, PermissionDenied),
    ("page 413", Answer(status=413, body=PAGE), WRITE, RefusedError),
    ("empty 400", Answer(status=400), WRITE, ForeignError),
    ("foreign json 404", Answer(status=404, body=b'{"message": "no route"}'), WRITE, ForeignError),
    ("cut-off json 400", Answer(status=400, body=b'{"errorCode": 400, "errorDes'), WRITE, ForeignError),
    ("page 429", Answer(status=429, body=PAGE), WRITE, ThrottledError),
    # Passing.
    ("408", Answer(status=408), WRITE, TransientError),
    ("500 page", Answer(status=500, body=PAGE), READ, TransientError),
    ("502", Answer(status=502), READ, TransientError),
    ("503", Answer(status=503), WRITE, TransientError),
    ("504", Answer(status=504), WRITE, TransientError),
    ("101", Answer(status=101), WRITE, TransientError),
    # Signing in and redirects.
    ("401 basic", Answer(status=401, body=PAGE), WRITE, SignInRefused),
    ("401 oauth", Answer(status=401, body=PAGE), OAUTH, SignInRefused),
    ("407", Answer(status=407), WRITE, ConfigError),
    ("302 to a read", Answer(status=302), READ, ConfigError),
    ("307 to a write", Answer(status=307), WRITE, TransientError),
]


@pytest.mark.parametrize(("answer", "call", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_answer_becomes_the_error_of_its_row(answer, call, expected):
    error = judge(answer, call, NOW)
    assert type(error) is expected


@pytest.mark.parametrize(("answer", "call"), [row[1:3] for row in TABLE], ids=[row[0] for row in TABLE])
def test_every_error_has_four_parts_and_a_code(answer, call):
    error = judge(answer, call, NOW)
    assert all((error.what, error.where, error.why, error.mend))
    assert error.code.startswith("MLC-STL-0")


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_no_error(status):
    assert judge(Answer(status=status, body=PAGE), WRITE, NOW) is None


def test_chained_product_codes_and_the_root_cause_are_kept():
    error = judge(own(400, "API000175: Could not save user account: API000452: User ID not valid."), WRITE, NOW)
    assert "API000175" in error.why
    assert "root cause API000452" in error.why


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 31 Jan 2024 12:00:30 GMT", 30.0),
        ("Wed, 31 Jan 2024 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms(text, seconds):
    assert judge(Answer(status=503, retry_after=text), WRITE, NOW).retry_after == seconds


def test_far_side_text_is_bounded_to_one_line_without_control_characters():
    error = judge(own(400, "a\x1b[31m\r\n" + "x" * 5000), WRITE, NOW)
    assert len(error.why) < 700
    assert error.why.isprintable()


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500])
def test_secret_echoed_by_the_server_is_struck_out(status):
    call = Call(doing="x", where="y", writes=True, secrets=(Secret("canary-123"), Secret("")))
    assert "canary" not in str(judge(own(status, "Password canary-123 is wrong"), call, NOW))


SAYS = [
    (
        "API000175: Could not save user account: API000452: User ID not valid. It holds @",
        "refused",
        "`username`",
        "EDI desk",
    ),
    ("API000175: Could not save user account: A user with the ID x already exists", "exists", "looked up", "EDI desk"),
    (
        "API000175: Could not save user account: API000464: The user account x is gone",
        "not_found",
        "Create the user",
        "EDI desk",
    ),
    ("API000175: Could not save user account: API000999: Something new", "refused", "behind this code", "EDI desk"),
    ("API000393: The password was used before", "refused", "passwordPolicy", "IT"),
    ("API000451: Invalid authorized user key K", "refused", "authorizedUserKeyName", "EDI desk"),
    ("java.lang.NullPointerException", "unknown", "administrator", "IT"),
    ("Duplicate RoutingRule AP_OUT", "exists", "looked up", "EDI desk"),
    (
        "Group Members can only contain alphanumeric, underscore, comma and space",
        "refused",
        "letters, digits",
        "EDI desk",
    ),
]


@pytest.mark.parametrize(("text", "meaning", "mend", "owner"), SAYS, ids=[row[0][:30] for row in SAYS])
def test_a_known_text_or_root_cause_says_what_it_means_and_who_mends_it(text, meaning, mend, owner):
    fact = known(text)
    assert (fact.meaning, mend in fact.mend, fact.owner) == (meaning, True, owner)
    error = judge(own(400, text), WRITE, NOW)
    classes = {"refused": RefusedError, "exists": ExistsError, "not_found": NotFoundError, "unknown": TransientError}
    expected = classes[meaning]
    assert type(error) is expected
    assert error.mend


def test_a_text_of_which_nothing_is_known_is_refused_and_quoted():
    error = judge(own(400, "API000777: The moon is wrong."), WRITE, NOW)
    assert type(error) is RefusedError
    assert "API000777: The moon is wrong." in error.why


@pytest.mark.parametrize("code", CODES)
def test_every_known_code_is_in_the_reference(code):
    text = (Path(__file__).parents[4] / "docs" / "reference" / "error-codes.md").read_text()
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {code} |")]
    assert CODES[code].owner in row
