"""Partner files: the defaults under them, and every finding with its exact text and place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import Finding
from stages.ap.partners import Partners, far_name, load_partners

GOOD = """\
partner: ALPHA
name: Alpha Foods
vendors: [V-1]
identity: { isa: { qualifier: ZZ, id: ALPHA }, gs: ALPHA }
mailbox: /ALPHA/Inbound
"""


def _texts(folder: Path) -> list[str]:
    """The findings without the folder's own path."""
    _, findings = load_partners(folder)
    return [str(finding).replace(f"{_shown(folder)}{os.sep}", "") for finding in findings]


def _shown(folder: Path) -> str:
    here = os.path.relpath(folder)
    return str(folder) if here.startswith("..") else here


def _loaded(folder: Path) -> Partners:
    partners, findings = load_partners(folder)
    assert findings == []
    assert partners is not None
    return partners


ONE_FILE = {
    "unknown key": (
        GOOD + "mailbax: /X\n",
        ["alpha.yaml:6:1: MLC-PART-0001 $.mailbax: unknown key `mailbax`"],
    ),
    "missing key": (
        GOOD.replace("name: Alpha Foods\n", ""),
        ["alpha.yaml:1:1: MLC-PART-0001 $: the key `name` is missing"],
    ),
    "no vendors": (
        GOOD.replace("[V-1]", "[]"),
        ["alpha.yaml:3:10: MLC-PART-0001 $.vendors: expected a list of length >= 1, got a list"],
    ),
    "ISA id too long": (
        GOOD.replace("id: ALPHA", "id: ALPHA67890123456"),
        [
            "alpha.yaml:4:39: MLC-PART-0001 $.identity.isa.id: expected a text of length <= 15, "
            "got the text 'ALPHA67890123456'"
        ],
    ),
    "qualifier of one character": (
        GOOD.replace("qualifier: ZZ", 'qualifier: "1"'),
        ["alpha.yaml:4:31: MLC-PART-0001 $.identity.isa.qualifier: expected a text of length >= 2, got the text '1'"],
    ),
    "usage that is none": (
        GOOD.replace("gs: ALPHA", "gs: ALPHA, usage: X"),
        ["alpha.yaml:4:66: MLC-PART-0001 $.identity.usage: expected one of P, T, got the text 'X'"],
    ),
    "relative mailbox": (
        GOOD.replace("/ALPHA/Inbound", "ALPHA/Inbound"),
        [
            "alpha.yaml:5:10: MLC-PART-0008 $.mailbox: the mailbox 'ALPHA/Inbound' is not an absolute path; "
            "write it as in /PARTNER/Inbound"
        ],
    ),
    "unknown set": (
        GOOD + 'documents:\n  - { set: "811", role: self_bill }\n',
        [
            "alpha.yaml:7:12: MLC-PART-0001 $.documents[0].set: expected one of 810, 850, 820, got the text '811'; did you mean `810`?"
        ],
    ),
    "unknown role": (
        GOOD + 'documents:\n  - { set: "810", role: self_bil }\n',
        [
            "alpha.yaml:7:25: MLC-PART-0001 $.documents[0].role: expected one of self_bill, bill_copy, debit_memo, order, remittance, "
            "got the text 'self_bil'; did you mean `self_bill`?"
        ],
    ),
    "set and role do not fit": (
        GOOD + 'documents:\n  - { set: "850", role: self_bill }\n',
        [
            "alpha.yaml:7:25: MLC-PART-0007 $.documents[0].role: an 850 cannot play the role self_bill; roles of an 850: order"
        ],
    ),
    "condition that does not compile": (
        GOOD + 'documents:\n  - { set: "810", role: self_bill, when: "bill.STATE =" }\n',
        ["alpha.yaml:7:54: MLC-PART-0001 $.documents[0].when: this is not an expression"],
    ),
    "condition about something else": (
        GOOD + 'documents:\n  - { set: "810", role: self_bill, when: "vendor.NAME == \'X\'" }\n',
        [
            "alpha.yaml:7:42: MLC-PART-0009 $.documents[0].when: a condition knows only `bill`, not `vendor`; "
            "write it as in bill.MODULEKEY == '9.PO'"
        ],
    ),
    "batch of none": (
        GOOD + "batch: { documents: 0 }\n",
        ["alpha.yaml:6:21: MLC-PART-0001 $.batch.documents: expected a whole number >= 1, got the number 0"],
    ),
    "duration that is none": (
        GOOD + "acknowledgement: { within: soon }\n",
        [
            "alpha.yaml:6:28: MLC-PART-0001 $.acknowledgement.within: 'soon' is not a duration; "
            "write a number and a unit: 500ms, 30s, 5m, 24h, 2d"
        ],
    ),
    "guide of an unknown release": (
        GOOD + 'guide: { version: "003020" }\n',
        [
            "alpha.yaml:6:19: MLC-PART-0010 $.guide.version: version: '003020' is not one of 004010, 005010 "
            "(an industry suffix may follow)"
        ],
    ),
    "unit that is no code": (
        GOOD + "guide: { units: { Case: CASE } }\n",
        [
            "alpha.yaml:6:25: MLC-PART-0010 $.guide.units.Case: units.Case: 'CASE' is not an X12 unit code of two characters"
        ],
    ),
    "amendments cancel": (
        GOOD + "amendments: cancel\n",
        ["alpha.yaml:6:13: MLC-PART-0001 $.amendments: expected one of replace, hold, got the text 'cancel'"],
    ),
    "two mistakes at once": (
        GOOD.replace("name: Alpha Foods\n", "").replace("/ALPHA/Inbound", "/ALPHA/Inbound/"),
        [
            "alpha.yaml:1:1: MLC-PART-0001 $: the key `name` is missing",
            "alpha.yaml:4:10: MLC-PART-0008 $.mailbox: the mailbox '/ALPHA/Inbound/' is not an absolute path; "
            "write it as in /PARTNER/Inbound",
        ],
    ),
}


@pytest.mark.parametrize("case", ONE_FILE)
def test_a_mistake_in_one_file_is_found_at_its_place(write: Callable[..., Path], case: str) -> None:
    text, expected = ONE_FILE[case]
    found = _texts(write({"alpha": text}))
    assert len(found) == len(expected)
    for finding, start in zip(found, expected, strict=True):
        assert finding.startswith(start)


def test_a_vendor_in_two_files_names_both_places(write: Callable[..., Path], partner_file: Callable[..., str]) -> None:
    folder = write({"a": partner_file("ALPHA", "V-1", "V-2"), "b": partner_file("BETA", "V-3", "V-2")})
    assert _texts(folder) == [
        "b.yaml:3:16: MLC-PART-0004 $.vendors[1]: vendor V-2 is already in a.yaml:3; a vendor has one partner"
    ]


@pytest.mark.parametrize("code", ["ALPHA", "Alpha"])
def test_a_partner_code_is_used_once(write: Callable[..., Path], partner_file: Callable[..., str], code: str) -> None:
    second = partner_file("BETA", "V-2").replace("partner: BETA", f"partner: {code}")
    assert _texts(write({"a": partner_file("ALPHA"), "b": second})) == [
        f"b.yaml:1:10: MLC-PART-0005 $.partner: the partner code {code} is taken by a.yaml:1; "
        "codes may not differ in case or punctuation only"
    ]


def test_codes_that_differ_in_punctuation_only_are_one_name_on_the_far_side(
    write: Callable[..., Path], partner_file: Callable[..., str]
) -> None:
    folder = write({"a": partner_file("AL-PHA"), "b": partner_file("AL_PHA", "V-2")})
    assert [text[:28] for text in _texts(folder)] == ["b.yaml:1:10: MLC-PART-0005 $"]


IDENTITY = "identity: { isa: { qualifier: ZZ, id: HUB }, gs: HUB }"


@pytest.mark.parametrize(
    ("change", "clash"),
    [
        (("", ""), True),
        (("gs: HUB", "gs: HUBTWO"), False),
        (("gs: HUB }", "gs: HUB, usage: T }"), False),
        (("qualifier: ZZ", 'qualifier: "01"'), False),
        (("/HUB/Inbound", "/OTHER/Inbound"), False),
    ],
)
def test_two_partners_behind_one_identity_clash_only_when_nothing_tells_them_apart(
    write: Callable[..., Path], partner_file: Callable[..., str], change: tuple[str, str], clash: bool
) -> None:
    first = partner_file("HUB")
    second = partner_file("HUB", "V-2").replace("partner: HUB", "partner: SECOND").replace(*change)
    expected = [
        "b.yaml:4:11: MLC-PART-0006 $.identity: same ISA and GS ids, usage and mailbox as a.yaml:4: "
        "acknowledgements could not be told apart; list the vendors of both in one file"
    ]
    assert _texts(write({"a": first, "b": second})) == (expected if clash else [])


def test_a_mistake_in_the_defaults_is_reported_once_and_there(
    write: Callable[..., Path], partner_file: Callable[..., str]
) -> None:
    default = "us: { name: H, isa: { qualifier: ZZ, id: H }, gs: HH }\nbatch: { documents: many }\n"
    folder = write({"a": partner_file("ALPHA"), "b": partner_file("BETA", "V-2")}, default)
    assert _texts(folder) == [
        "_default.yaml:2:21: MLC-PART-0001 $.batch.documents: expected a whole number, got the text 'many'"
    ]


def test_unreadable_files_and_wrong_values_are_found_together(
    write: Callable[..., Path], partner_file: Callable[..., str]
) -> None:
    folder = write({"a": "partner: [\n", "b": partner_file("BETA", more="batch: { documents: 0 }\n")})
    assert [text.split(":")[0] for text in _texts(folder)] == ["a.yaml", "b.yaml"]


def test_a_file_that_is_no_mapping_is_a_finding(write: Callable[..., Path]) -> None:
    (text,) = _texts(write({"a": "- one\n- two\n"}))
    assert text.startswith("a.yaml:1:1: MLC-PART-0001 $: expected a mapping with the keys partner, name, vendors")


@pytest.mark.parametrize(("name", "why"), [("nowhere", "No such file or directory"), ("file", "Not a directory")])
def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    partners, (finding,) = load_partners(tmp_path / name)
    assert partners is None
    assert (finding.code, finding.severity) == ("MLC-PART-0002", "error")
    assert finding.message == f"the folder of partner files cannot be read: {why}"


def test_a_folder_without_partners_is_refused(write: Callable[..., Path]) -> None:
    """A run would exclude every vendor, and its cursor would move past their bills."""
    partners, (finding,) = load_partners(write({}))
    assert partners is None
    assert (finding.code, finding.severity) == ("MLC-PART-0003", "error")


def test_other_files_in_the_folder_are_left_alone(write: Callable[..., Path]) -> None:
    folder = write({"alpha": GOOD})
    (folder / "README.md").write_text("partner: [")
    (folder / ".alpha.yaml.swp").write_text("partner: [")
    assert [partner.code for partner in _loaded(folder).all] == ["ALPHA"]


def test_mappings_are_merged_key_by_key_and_lists_replaced(write: Callable[..., Path]) -> None:
    default = (
        "us: { name: H, isa: { qualifier: ZZ, id: H }, gs: HH }\n"
        'documents:\n  - { set: "810", role: self_bill }\n  - { set: "850", role: order }\n'
        "guide: { units: { CS: CA, EA: EA }, require: [PID05], uppercase: true }\n"
    )
    more = 'documents:\n  - { set: "810", role: bill_copy }\nguide: { units: { CS: CT }, require: [] }\n'
    (partner,) = _loaded(write({"alpha": GOOD + more}, default)).all
    assert [(rule.set, rule.role) for rule in partner.documents] == [("810", "bill_copy")]
    assert partner.guide.units == {"CS": "CT", "EA": "EA"}
    assert (partner.guide.require, partner.guide.uppercase) == ((), True)


def test_a_folder_needs_no_defaults(write: Callable[..., Path]) -> None:
    us = "us: { name: H, isa: { qualifier: ZZ, id: H }, gs: HH }\n"
    (partner,) = _loaded(write({"alpha": GOOD + us}, None)).all
    assert (partner.us.name, partner.documents, partner.batch.documents) == ("H", (), 50)
    assert (partner.identity.usage, partner.acknowledgement.within) == ("P", 86_400)


def test_partners_come_in_the_order_of_their_file_names(
    write: Callable[..., Path], partner_file: Callable[..., str]
) -> None:
    folder = write({"b": partner_file("ALPHA"), "a": partner_file("ZULU", "V-2")})
    assert [partner.code for partner in _loaded(folder).all] == ["ZULU", "ALPHA"]


def test_a_finding_about_a_partner_stands_where_the_value_does(write: Callable[..., Path]) -> None:
    partners = _loaded(write({"alpha": GOOD}))
    own, inherited = (
        partners.finding(partners.all[0], path, "wrong", code="X") for path in ("$.mailbox", "$.us.isa.id")
    )
    assert isinstance(own, Finding)
    assert (Path(own.file).name, own.line) == ("alpha.yaml", 5)
    assert (Path(inherited.file).name, inherited.line) == ("_default.yaml", 1)


@pytest.mark.parametrize(("code", "name"), [("V-1", "V_1"), ("a.b c", "a_b_c"), ("É1", "_1"), ("OK_9", "OK_9")])
def test_far_names_hold_ascii_letters_digits_and_underscores(code: str, name: str) -> None:
    assert far_name(code) == name
