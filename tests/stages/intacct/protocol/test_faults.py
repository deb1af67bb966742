"""What the gateway's faults mean."""

from __future__ import annotations

import pytest

from pipeline import (
    ConfigError,
    PermissionDenied,
    RefusedError,
    SessionError,
    StageError,
    ThrottledError,
    TransientError,
)
from stages.intacct.protocol.faults import (
    AlreadyThere,
    HttpRefused,
    OutcomeUnknown,
    PageSizeRefused,
    Place,
    UnknownField,
    UnknownObject,
    UnreadableRows,
    fault_error,
    http_error,
    is_repeat,
    lost_reply,
    named_page_size,
    scrub,
    unreadable_error,
)
from stages.intacct.protocol.hiding import Hidden
from stages.intacct.protocol.responses import Fault, Kind, Level, Outcome, Unreadable

PLACE = Place("api.intacct.com", "acme", "query of APBILL")
AT_LOGIN = Place("api.intacct.com", "acme", "sign-in", "login")


@pytest.mark.parametrize(
    ("level", "number", "text", "expected"),
    [
        ("control", "XL03000006", "Incorrect Intacct XML Partner ID or password.", ConfigError),
        ("control", "XL03000003", "Extra content at the end of the document", ConfigError),
        ("control", "GW-0011", "Invalid Request", ConfigError),
        ("control", "XMLGW_JPP0002", "Sign-in information is incorrect", ConfigError),
        ("control", "invalidRequest", "Invalid credentials", ConfigError),
        ("control", "GW-0010", "API rate limit exceeded", ThrottledError),
        ("control", "GW-0003", "", TransientError),
        ("control", "", "something new", ConfigError),
        ("authentication", "XL03000006", "Invalid session kX3p....", SessionError),
        ("authentication", "XL03000006", "Sign-in information is incorrect", SessionError),
        ("authentication", "XL03000006", "The sender ID acme-ws is not authorized for this company", ConfigError),
        ("authentication", "PL04000055", "This demo company has expired", ConfigError),
        ("function", "GW-0010", "", ThrottledError),
        ("control", "XL03000006", "GW-0010: no free slot", ThrottledError),
        ("function", "Query Failed", "API rate limit exceeded", ThrottledError),
        ("function", "XL03000009", "The Service is Temporarily Off-line", TransientError),
        ("function", "BL01001973", "", TransientError),
        ("function", "PL04000005", "", PermissionDenied),
        (
            "function",
            "XX",
            "You do not have permission for API operation READ_BY_QUERY on objects of type podocument",
            PermissionDenied,
        ),
        ("function", "XL03000006", "The following fields cannot be queried: FOO", UnknownField),
        ("function", "XL03000010", "Field FOO does not exist on object APBILL", UnknownField),
        ("function", "Invalid fields list FOO", "", UnknownField),
        ("function", "XL03000009", "Object definition PODOCUMENT not found", UnknownObject),
        ("function", "Query Failed", "Object PODOCUMENT does not exist", UnknownObject),
        ("function", "XL03000006", "Field FOO is not selectable", UnknownField),
        ("function", "XL03000006", "Invalid field: FOO", UnknownField),
        ("function", "XL03000006", "pagesize must be between 1 and 100", PageSizeRefused),
        ("function", "XX", "Page size exceeds the maximum of 500", PageSizeRefused),
        ("function", "XL03000006", "filter must have exactly one operator", ConfigError),
        ("function", "XL03000006", "The entered command 'lookup' is not supported", ConfigError),
        ("function", "XL03000006", "", ConfigError),
        ("function", "DL02000001", "There was an error processing the request", UnreadableRows),
    ],
)
def test_a_fault_means_one_error(level: Level, number: str, text: str, expected: type[StageError]) -> None:
    error = fault_error(level, [Fault(number=number, text=text)], PLACE)
    assert type(error) is expected


def test_an_unknown_text_is_told_as_the_gateway_says_it() -> None:
    faults = [Fault(number="XL03000006", text="filter must have exactly one operator")]
    error = fault_error("function", faults, PLACE)
    assert error.code == "MLC-INTACCT-0199"
    assert "XL03000006: filter must have exactly one operator" in error.why


@pytest.mark.parametrize(
    ("text", "refused", "largest"),
    [
        ("pagesize must be between 1 and 100", 1000, 100),
        ("Page size 1000 exceeds the maximum of 500", 1000, 500),
        ("Page size must be 1,000 or less.", 2000, 1000),
        ("pagesize <= 1,000 expected", 1000, None),
        ("the page size is too large", 1000, None),
        ("pagesize must be 0", 1000, None),
        ("pagesize: at most 99999999999999999999999", 1000, None),
    ],
)
def test_the_page_size_to_use_is_the_greatest_number_below_the_one_refused(
    text: str, refused: int, largest: int | None
) -> None:
    error = fault_error("function", [Fault(number="XL03000006", text=text)], PLACE)
    assert named_page_size(error.why, refused) == largest


def test_the_same_refusal_is_permanent_at_sign_in() -> None:
    error = fault_error("authentication", [Fault(number="XL03000006", text="Invalid session")], AT_LOGIN)
    assert type(error) is ConfigError
    assert error.exit_code == 4


def test_try_again_later_in_the_correction_is_passing() -> None:
    error = fault_error("function", [Fault(number="BL03000018", text="x", correction="Please Try Again Later")], PLACE)
    assert type(error) is TransientError


def test_the_cause_beside_a_general_companion_decides() -> None:
    faults = [Fault(number="BL01001973", text="Could not read"), Fault(text="You do not have permission for API")]
    assert type(fault_error("function", faults, PLACE)) is PermissionDenied


def test_an_error_has_four_parts_and_the_support_id() -> None:
    error = fault_error("control", [Fault(number="XL03000006", text="Incorrect sender", support="ab%2Fc")], PLACE)
    assert error.what
    assert "query of APBILL at api.intacct.com, company acme, support id ab%2Fc" in error.where
    assert "XL03000006: Incorrect sender" in error.why
    assert "INTACCT_SENDER_ID" in error.mend
    assert (error.owner, error.code) == ("IT", "MLC-INTACCT-0101")


def test_a_refusal_without_a_reason_is_not_mended_by_one() -> None:
    error = fault_error("function", [], PLACE)
    assert (type(error), error.code) == (ConfigError, "MLC-INTACCT-0199")
    assert "names no reason" in error.what
    assert "support id" not in error.mend
    assert "the text names" not in error.mend


def test_the_asked_wait_is_kept() -> None:
    error = fault_error("control", [Fault(number="GW-0010")], PLACE, retry_after=7.0)
    assert isinstance(error, ThrottledError)
    assert error.retry_after == 7.0


def test_a_refused_session_id_is_hidden_in_full_and_in_part() -> None:
    faults = scrub(
        [Fault(text="Invalid session kX...."), Fault(text="secret1 and kX3pQ0aaBBcc or kX3pQ0aa..")],
        Hidden("secret1", "kX3pQ0aaBBcc"),
    )
    assert [fault.text for fault in faults] == ["Invalid session ***", "*** and *** or ***"]


def test_hiding_a_session_leaves_plain_words_alone() -> None:
    assert scrub([Fault(text="The session has expired")], Hidden())[0].text == "The session has expired"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, HttpRefused),
        (400, HttpRefused),
        (401, HttpRefused),
        (403, HttpRefused),
        (404, HttpRefused),
        (408, TransientError),
        (429, ThrottledError),
        (500, TransientError),
        (503, TransientError),
        (524, TransientError),
    ],
)
def test_a_status_means_one_error(status: int, expected: type[StageError]) -> None:
    assert type(http_error(status, PLACE)) is expected


@pytest.mark.parametrize(
    ("kind", "detail", "status", "place", "expected"),
    [
        ("empty", "", 200, PLACE, TransientError),
        ("malformed", "", 200, PLACE, TransientError),
        ("malformed", "", 200, AT_LOGIN, TransientError),
        ("html", "Welcome", 200, PLACE, TransientError),
        ("html", "Welcome", 200, AT_LOGIN, ConfigError),
        ("html", "Just a moment...", 200, AT_LOGIN, TransientError),
        ("html", "Attention Required! | Cloudflare", 403, PLACE, TransientError),
        ("html", "Welcome", 403, PLACE, HttpRefused),
        ("html", "Error 404", 404, PLACE, HttpRefused),
        ("html", "502 Bad gateway", 502, AT_LOGIN, TransientError),
        ("html", "", 429, PLACE, ThrottledError),
        ("doctype", "", 200, PLACE, ConfigError),
        ("foreign", "", 200, AT_LOGIN, ConfigError),
        ("foreign", "", 200, PLACE, TransientError),
    ],
)
def test_a_body_that_is_no_reply_means_one_error(
    kind: Kind, detail: str, status: int, place: Place, expected: type[StageError]
) -> None:
    assert type(unreadable_error(Unreadable(kind, detail), status, place, Hidden())) is expected


def test_a_web_page_at_sign_in_is_named_as_such() -> None:
    error = unreadable_error(Unreadable("html", "Welcome"), 200, AT_LOGIN, Hidden())
    assert error.what == "this is not the Intacct gateway: got an HTML page"
    assert "Welcome" in error.why


# --- everything that is known of the gateway's errors, row by row -------------------------------------------------------

# Level, number and text as seen or documented; the class, who mends it, and the code it must come to. The sources are Sage's pages on
# requests and error handling, the tests of its SDKs, and replies recorded by other public connectors.
KNOWN = [
    ("control", "XL03000003", "XML error: attributes construct error", ConfigError, "developer", "0110"),
    ("control", "XL03000006", "Incorrect Intacct XML Partner ID or password.", ConfigError, "IT", "0101"),
    ("control", "XL03000006", "Unknown transport policy 'nightly'", ConfigError, "developer", "0110"),
    ("authentication", "XL03000006", "Sign-in information is incorrect", SessionError, "IT", "0107"),
    ("authentication", "XL03000006", "Invalid session kX3p....", SessionError, "IT", "0107"),
    (
        "authentication",
        "XL03000006",
        "The sender ID 'acme-ws' is not authorized to make Web Services requests to company ID 'acme'",
        ConfigError,
        "IT",
        "0105",
    ),
    ("authentication", "PL04000055", "This demo company has expired", ConfigError, "IT", "0104"),
    (
        "function",
        "XL03000006",
        "The following fields cannot be queried: FOO. Check the fields and try again.",
        UnknownField,
        "IT",
        "0130",
    ),
    ("function", "XL03000006", "Field FOO is not selectable", UnknownField, "IT", "0130"),
    ("function", "XL03000010", "", UnknownField, "IT", "0130"),
    (
        "function",
        "XL03000009",
        "The entire transaction in this operation has been rolled back due to an error.",
        RefusedError,
        "developer",
        "0145",
    ),
    ("function", "XL03000009", "object definition FOO not found", UnknownObject, "IT", "0131"),
    ("function", "Query Failed", "Object definition FOO not found", UnknownObject, "IT", "0131"),
    ("function", "Query Failed", "", ConfigError, "developer", "0136"),
    ("function", "Invalid fields list FOO", "", UnknownField, "IT", "0130"),
    ("function", "BL01001973", "", TransientError, "IT", "0203"),
    ("function", "BL01001973", "Could not create Purchasing record.", RefusedError, "AP", "0144"),
    (
        "function",
        "BL01001973",
        "You cannot use a top-level session with an entity level definition",
        ConfigError,
        "IT",
        "0135",
    ),
    ("function", "BL34000061", "Another Vendor with the given value(s) V-1 already exists", AlreadyThere, "AP", "0140"),
    ("function", "PL05000104", "Another record with the value already exists", AlreadyThere, "AP", "0140"),
    ("function", "BL03000018", "Unit is required", RefusedError, "AP", "0141"),
    ("function", "BL03002129", "Invalid action for the state", RefusedError, "AP", "0142"),
    ("function", "PL01000127", "Document number is missing", RefusedError, "AP", "0141"),
    ("function", "DL02000001", "Object APBILL with key 7 not found", RefusedError, "AP", "0143"),
    ("control", "GW-0010", "API rate limit exceeded", ThrottledError, "IT", "0202"),
    ("function", "GW-0010", "API rate limit exceeded", ThrottledError, "IT", "0202"),
    ("function", "XX00000000", "API rate limit exceeded", ThrottledError, "IT", "0202"),
    ("control", "GW-0011", "Invalid Request", ConfigError, "IT", "0102"),
    ("control", "GW-0014", "Unsupported content type", ConfigError, "developer", "0110"),
    ("control", "GW-0015", "Missing attribute", ConfigError, "developer", "0110"),
    *[("control", f"GW-000{digit}", "", TransientError, "IT", "0204") for digit in range(1, 10)],
    ("control", "XMLGW_JPP0002", "Sign-in information is incorrect", ConfigError, "IT", "0103"),
    ("control", "UJPP0002", "Sign-in information is incorrect", ConfigError, "IT", "0103"),
    ("control", "invalidRequest", "Invalid credentials", ConfigError, "IT", "0103"),
    ("function", "XL03000000", "The Service is Temporarily Off-line", TransientError, "IT", "0201"),
    ("function", "PL04000005", "", PermissionDenied, "IT", "0120"),
    (
        "function",
        "XX",
        "You do not have permission for API operation READ_BY_QUERY on objects of type podocument",
        PermissionDenied,
        "IT",
        "0120",
    ),
    ("function", "XX", "There was an error processing the request", UnreadableRows, "IT", "0134"),
]  # fmt: skip


@pytest.mark.parametrize(("level", "number", "text", "error", "owner", "code"), KNOWN)
def test_every_known_fault_has_its_class_its_owner_and_a_mend(
    level: Level, number: str, text: str, error: type[StageError], owner: str, code: str
) -> None:
    found = fault_error(level, [Fault(number=number, text=text)], PLACE)
    assert (type(found), found.owner, found.code) == (error, owner, f"MLC-INTACCT-{code}")
    assert found.mend
    assert found.why


def test_no_known_fault_is_left_to_the_row_for_the_unknown() -> None:
    left = [
        row for row in KNOWN if fault_error(row[0], [Fault(number=row[1], text=row[2])], PLACE).code.endswith("0199")
    ]  # type: ignore[arg-type]
    assert left == []


LOGIN_KNOWN = [
    ("XL03000006", "Sign-in information is incorrect", "0106"),
    ("XL03000006", "Your account has been locked out", "0109"),
    ("XL03000006", "This user is inactive", "0109"),
    ("XL03000006", "Your password has expired", "0109"),
    ("XL03000006", "Sign-in information is incorrect. After 3 attempts your account will be locked.", "0106"),
    ("XL03000006", "Sign-in information is incorrect. Check that Caps Lock is off.", "0106"),
    ("XL03000006", "The user account is locked", "0109"),
    ("XL03000006", "The sender ID acme-ws is not authorized for this company", "0105"),
    ("PL04000055", "Company expired", "0104"),
]


@pytest.mark.parametrize(("number", "text", "code"), LOGIN_KNOWN)
def test_at_sign_in_a_refusal_is_permanent_and_told_apart(number: str, text: str, code: str) -> None:
    error = fault_error("authentication", [Fault(number=number, text=text)], AT_LOGIN)
    assert (type(error), error.code) == (ConfigError, f"MLC-INTACCT-{code}")


@pytest.mark.parametrize("first", [True, False])
def test_what_only_says_that_something_failed_leaves_the_word_to_the_cause(first: bool) -> None:
    companion = Fault(number="XL03000009", text="The entire transaction in this operation has been rolled back")
    faults = [companion, Fault(number="BL03000018", text="Unit is required"), Fault(number="BL01001973")]
    error = fault_error("function", faults if first else faults[::-1], PLACE)
    assert error.code == "MLC-INTACCT-0141"
    assert "rolled back" in error.why


def test_a_cause_that_nobody_knows_is_not_taken_for_its_passing_companion() -> None:
    faults = [Fault(number="BL01001973"), Fault(number="BL99999999", text="something new")]
    assert fault_error("function", faults, PLACE).code == "MLC-INTACCT-0199"


# --- functions that change something -----------------------------------------------------------------------------------


def refused(*faults: Fault, status: str = "failure") -> Outcome:
    return Outcome(ok=False, status=status, faults=faults)


@pytest.mark.parametrize(
    ("outcome", "repeat"),
    [
        (refused(Fault(number="XL03000006", text="A function with the controlid bill-7 was completed before")), True),
        (refused(Fault(number="XX", text="The control ID is not unique")), True),
        (refused(Fault(number="XX", text="bill-7: duplicate")), True),
        (refused(status=""), True),
        (refused(), False),
        (refused(Fault(number="BL03000018", text="Unit is required")), False),
        (refused(Fault(text="controlid bill-7 was completed"), Fault(text="Unit is required")), False),
        (Outcome(ok=True, status="success"), False),
    ],
)
def test_a_refused_repeat_is_told_from_every_other_refusal(outcome: Outcome, repeat: bool) -> None:
    assert is_repeat(outcome, "bill-7") is repeat


def test_a_lost_reply_of_a_change_is_an_unknown_outcome_that_keeps_the_asked_wait() -> None:
    lost = lost_reply(http_error(524, PLACE, retry_after=9.0))
    assert isinstance(lost, OutcomeUnknown)
    assert (lost.failure, lost.retry_after) == ("transient", 9.0)
    assert "HTTP 524" in lost.where
