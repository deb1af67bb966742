from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import ConfigError, DataError
from stages.x12.definitions import release
from stages.x12.guide import Delimiters, Guide
from stages.x12.writing.compiler import compile_plan
from stages.x12.writing.mapping import SetMapping
from stages.x12.writing.plan import Plan
from stages.x12.writing.values import (
    Alphabet,
    Broken,
    Doubt,
    Encoder,
    cut_at_word,
    implied,
    plain_encoder,
    real,
    transliterate,
)

Text = Callable[..., str]
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def test_a_whole_invoice_body_is_what_an_edi_person_expects(text: Text) -> None:
    assert text(guide={"newline": True}).splitlines() == [
        "ST*810*0000~",
        "BIG*20250131*INV-1001*****DI~",
        "REF*IA*V-1014~",
        "N1*BY*Harborvale Foods*92*HV01~",
        "IT1*1*10*CA*12.5**IN*B-9*VN*V-9~",
        "PID*F****Blue widget~",
        "IT1*2*1*EA*15~",
        "TDS*14000~",
        "CTT*2~",
        "SE*10*0000~",
    ]


def test_pairs_are_written_without_gaps(text: Text) -> None:
    assert "IT1*1*10*CA*12.5**VN*V-9~" in text(line={"ours": ""})


def test_children_of_a_segment_that_is_not_sent_are_not_sent(text: Text) -> None:
    assert "N3" not in text(remit={"name": "", "street": "1 Main St"})


def test_children_follow_their_segment(text: Text) -> None:
    assert "N1*RE*Factor Ltd~N3*1 Main St~" in text(remit={"name": "Factor Ltd", "street": "1 Main St"})


@pytest.mark.parametrize(
    ("purpose", "segment"),
    [("original", "BIG*20250131*INV-1001*****DI~"), ("replace", "BIG*20250131*INV-1001*****DI*05~")],
)
def test_the_purpose_tells_an_amendment(
    plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]], purpose: str, segment: str
) -> None:
    assert segment in plan().render(subject(), purpose).decode()


# -- refusals ---------------------------------------------------------------------------------------------------------

DOC = "doc INV-1001, 810 to RIVERBEND"
REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, str, str, str]]] = [
    (
        "an identifier that is too long",
        {},
        {"number": "INV-2026-000000000000001"},
        (
            "MLC-X12-0102",
            "Invoice Number is longer than X12 allows",
            "doc INV-2026-000000000000001, 810 to RIVERBEND, element BIG02 (Invoice Number), from doc.number",
            '"INV-2026-000000000000001" has 24 characters; the maximum is 22',
        ),
    ),
    (
        "a mandatory element that is empty",
        {},
        {"number": ""},
        (
            "MLC-X12-0101",
            "Invoice Number is missing",
            "doc without number, 810 to RIVERBEND, element BIG02 (Invoice Number), from doc.number",
            "it is empty in the books; the set demands it",
        ),
    ),
    (
        "an identifier over the partner's limit",
        {"limits": {"BIG02": 5}},
        {},
        (
            "MLC-X12-0103",
            "Invoice Number is longer than the partner allows",
            f"{DOC}, element BIG02 (Invoice Number), from doc.number",
            '"INV-1001" has 8 characters; the maximum is 5',
        ),
    ),
    (
        "a description that is too long",
        {},
        {"line": {"text": "x" * 81}},
        (
            "MLC-X12-0104",
            "Description is longer than X12 allows",
            f"{DOC}, element PID05 (Description), from doc.lines.text, line 1",
            f'"{"x" * 57}..." has 81 characters; the maximum is 80',
        ),
    ),
    (
        "a float",
        {},
        {"line": {"price": 12.5}},
        (
            "MLC-X12-0106",
            "Unit Price is not what X12 wants here",
            f"{DOC}, element IT104 (Unit Price), from doc.lines.price, line 1",
            '"12.5" is not a decimal number',
        ),
    ),
    (
        "a total with tenths of a cent",
        {},
        {"total": Decimal("140.001")},
        (
            "MLC-X12-0107",
            "Amount has more decimals than X12 can carry",
            f"{DOC}, element TDS01 (Amount), from doc.total",
            "140.001 has 3 decimals; there is room for 2",
        ),
    ),
    (
        "a character nobody can spell in ASCII",
        {},
        {"line": {"text": "漢"}},
        (
            "MLC-X12-0108",
            "Description holds a character the partner cannot read",
            f"{DOC}, element PID05 (Description), from doc.lines.text, line 1",
            "\"漢\" holds '漢', which is not in the extended character set",
        ),
    ),
    (
        "a delimiter in data",
        {},
        {"line": {"text": "2*4 inch"}},
        (
            "MLC-X12-0109",
            "Description holds a delimiter",
            f"{DOC}, element PID05 (Description), from doc.lines.text, line 1",
            "\"2*4 inch\" holds '*', a delimiter of this partner",
        ),
    ),
    (
        "a unit the guide does not know",
        {},
        {"line": {"unit": "Pallet"}},
        (
            "MLC-X12-0110",
            "Unit or Basis for Measurement Code has no X12 code in the partner's guide",
            f"{DOC}, element IT103 (Unit or Basis for Measurement Code), from unit[doc.lines.unit], line 1",
            'unit "Pallet" is not in `guide.units`',
        ),
    ),
    (
        "a rule between elements",
        {},
        {"line": {"price": None}},
        (
            "MLC-X12-0111",
            "Baseline Item Data (Invoice) breaks a rule between elements",
            f"{DOC}, segment IT1 (Baseline Item Data (Invoice)), line 1",
            "IT102, IT103 and IT104 go together: all of them or none (syntax note P020304)",
        ),
    ),
    (
        "a segment the guide requires",
        {"require": ("REF*IA",)},
        {"vendor": ""},
        (
            "MLC-X12-0112",
            "Reference Identification is required by the partner's guide",
            f"{DOC}, segment REF*IA (Reference Identification)",
            "`guide.require` names REF*IA",
        ),
    ),
    (
        "an element the guide requires",
        {"require": ("PID05",), "limits": {}},
        {"line": {"text": ""}},
        (
            "MLC-X12-0112",
            "Description is required by the partner's guide",
            f"{DOC}, element PID05 (Description), from doc.lines.text, line 1",
            "it is empty in the books; `guide.require` names it",
        ),
    ),
]


@pytest.mark.parametrize(("guide", "changes", "parts"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_what_cannot_be_sent_is_refused_in_exact_words(
    text: Text, guide: dict[str, Any], changes: dict[str, Any], parts: tuple[str, str, str, str]
) -> None:
    with pytest.raises(DataError) as caught:
        text(guide=guide, **changes)
    error = caught.value
    assert (error.code, error.what, error.where, error.why.split("; also: ")[0]) == parts
    assert error.mend
    assert error.owner in ("AP", "EDI desk")


def test_all_failures_of_a_document_are_told_at_once(text: Text) -> None:
    with pytest.raises(DataError) as caught:
        text(number="", total=Decimal("0.001"))
    assert caught.value.why.endswith(
        "; also: Amount has more decimals than X12 can carry (element TDS01 (Amount), from doc.total): "
        ".001 has 3 decimals; there is room for 2"
    )


# -- the guide --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guide", "changes", "segment"),
    [
        ({"on_delimiter": "replace"}, {"line": {"text": "2*4"}}, "PID*F****2 4~"),
        ({"on_delimiter": "replace", "replacement": "x"}, {"line": {"text": "2*4"}}, "PID*F****2x4~"),
        ({}, {"line": {"text": "Crème brûlée – 2 €"}}, "PID*F****Creme brulee - 2 EUR~"),
        ({"uppercase": True}, {"line": {"text": "Straße"}}, "PID*F****STRASSE~"),
        ({"uppercase": True, "charset": "basic"}, {}, "PID*F****BLUE WIDGET~"),
        ({"long_text": "cut"}, {"line": {"text": "word " * 20}}, "PID*F****" + ("word " * 16).strip() + "~"),
        ({"long_text": "cut", "limits": {"PID05": 10}}, {}, "PID*F****Blue~"),
        ({"fixed": {"BIG07": "DR"}}, {}, "BIG*20250131*INV-1001*****DR~"),
        ({"fixed": {"BIG08": "00"}}, {}, "BIG*20250131*INV-1001*****DI*00~"),
        ({"forbid": ("BIG07",)}, {}, "BIG*20250131*INV-1001~"),
        ({"party_ids": "UL"}, {}, "N1*BY*Harborvale Foods*UL*HV01~"),
        ({"delimiters": Delimiters(element="|", segment="^", component=":", repetition="!")}, {}, "TDS|14000^"),
    ],
)
def test_every_key_of_the_guide_shows_in_the_document(
    text: Text, guide: dict[str, Any], changes: dict[str, Any], segment: str
) -> None:
    assert segment in text(guide=guide, **changes)


def test_a_forbidden_segment_is_left_out_with_its_children(text: Text) -> None:
    body = text(guide={"forbid": ("N1*RE", "PID", "REF*IA")}, remit={"name": "Factor", "street": "1 Main St"})
    assert not any(segment in body for segment in ("N1*RE", "N3", "PID", "REF"))


def test_transliteration_can_be_turned_off(text: Text) -> None:
    with pytest.raises(DataError, match="which is not in the extended character set"):
        text(guide={"transliterate": False}, line={"text": "Crème"})


def test_a_text_that_is_too_short_is_filled_unless_lines_end_where_segments_do(text: Callable[..., str]) -> None:
    """Who reads lines strips the spaces at their ends, and the element would be too short again."""
    one = {"us": {"name": "Harborvale", "id": "7"}}
    assert "N1*BY*Harborvale*92*7 ~" in text(**one)
    with pytest.raises(DataError, match="shorter than X12 allows"):
        text(guide={"delimiters": Delimiters(segment="\n")}, **one)


@pytest.mark.parametrize("replacement", ["", " "])
def test_an_identifier_does_not_lose_a_delimiter(text: Callable[..., str], replacement: str) -> None:
    """IN*V-1 without its star is the number of another invoice."""
    with pytest.raises(DataError, match="holds a delimiter"):
        text(guide={"on_delimiter": "replace", "replacement": replacement}, number="IN*V-1")
    assert "*IN/V-1*" in text(guide={"on_delimiter": "replace", "replacement": "/"}, number="IN*V-1")


def test_identifiers_are_never_cut(text: Text) -> None:
    with pytest.raises(DataError, match="the maximum is 22"):
        text(guide={"long_text": "cut"}, number="N" * 23)


def test_substitutions_and_lookups_are_noted(plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]]) -> None:
    notes: dict[str, str] = {}
    plan(long_text="cut", limits={"PID05": 10}).render(subject(line={"text": "Crème caramel"}), notes=notes)
    assert notes == {
        "unit Case": "CA",
        "unit Each": "EA",
        "PID05, line 1": "'Crème caramel' written as 'Creme caramel'; cut to 'Creme'",
    }


@pytest.mark.parametrize(
    ("guide", "problem"),
    [
        ({"forbid": ("BIG02",)}, "BIG02 is mandatory in BIG but is forbidden or not mapped"),
        ({"forbid": ("TDS",)}, "TDS is missing in set 810"),
        ({"require": ("FOB",)}, "require: FOB cannot be made from a doc"),
        ({"fixed": {"FOB01": "PP"}}, "fixed: FOB01 is in no segment that is sent"),
        ({"fixed": {"BIG07": "TOOLONG"}}, "fixed: 'TOOLONG' is not a Transaction Type Code (BIG07)"),
        ({"fixed": {"N103": "91"}}, "fixed: N103 is written together with its neighbour and cannot be fixed"),
    ],
)
def test_a_guide_that_cannot_be_met_is_refused_when_compiled(
    plan: Callable[..., Plan], guide: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(**guide)
    assert problem in caught.value.why.split("; ")


def test_a_mapping_out_of_order_is_refused_when_compiled(mapping: Callable[[Guide], SetMapping]) -> None:
    made = mapping(Guide())
    shuffled = SetMapping(set="810", rows=made.rows[::-1], subject="doc", label="doc.number")
    with pytest.raises(ConfigError, match="REF is out of place in set 810"):
        compile_plan("810", shuffled, Guide())


# -- provenance -------------------------------------------------------------------------------------------------------


def test_origins_say_where_each_element_comes_from(plan: Callable[..., Plan]) -> None:
    lines = plan().origins.splitlines()
    assert "BIG02 <- doc.number" in lines
    assert "REF02 of REF*IA <- doc.vendor" in lines
    assert "IT103 <- unit[doc.lines.unit], by guide.units" in lines


def test_fields_are_source_fields_only(plan: Callable[..., Plan]) -> None:
    assert "doc.lines.qty" in plan().fields
    assert not [field for field in plan().fields if not field.startswith("doc.")]


def test_equal_plans_have_equal_digests_and_different_ones_do_not(plan: Callable[..., Plan]) -> None:
    assert plan().digest == plan().digest != plan(fixed={"BIG07": "DR"}).digest


def test_fingerprint_sees_values_not_notation(
    plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]]
) -> None:
    made = plan()
    first = made.fingerprint(subject(), made.fields)
    assert first == made.fingerprint(subject(total=Decimal("140.0")), made.fields)
    assert first != made.fingerprint(subject(total=Decimal("140.01")), made.fields)


def test_fingerprint_ignores_fields_that_were_not_used(
    plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]]
) -> None:
    made = plan()
    assert made.fingerprint(subject(), made.fields) == made.fingerprint(subject(state="Paid"), made.fields)


# -- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12.50", "12.5"),
        ("1E+3", "1000"),
        ("0.50", ".5"),
        ("-0.5", "-.5"),
        ("-0.00", "0"),
        ("100", "100"),
        ("1E-7", ".0000001"),
    ],
)
def test_real_numbers_have_no_ornament(value: str, text: str) -> None:
    assert real(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"), [("12.34", "1234"), ("0", "0"), ("5", "500"), ("-0.05", "-5"), ("1E+2", "10000")]
)
def test_implied_decimals_are_integers(value: str, text: str) -> None:
    assert implied(Decimal(value), 2) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_real_numbers_read_back_exactly(value: Decimal) -> None:
    assert Decimal(real(value)) == value


def test_a_first_word_that_is_too_long_is_cut_where_the_room_ends() -> None:
    assert cut_at_word("abcdefgh ij", 5) == "abcde"


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), True, 1.5, "12"])
def test_what_is_no_exact_number_is_refused(value: object) -> None:
    with pytest.raises(Broken):
        _encoder("212").encode(value)


def _encoder(ref: str, **guide: Any) -> Encoder:
    made = Guide(**guide)
    return Encoder(release("004010").elements[ref], False, False, made, Alphabet(made))


VALUES = st.one_of(
    st.none(),
    st.text(max_size=90),
    st.integers(-(10**12), 10**12),
    st.decimals(),
    st.dates(),
    st.booleans(),
    st.just(""),
)


@given(st.sampled_from(["212", "373", "610", "354", "280", "67", "380", "782"]), VALUES)
@settings(deadline=None, max_examples=300)
def test_numbers_and_dates_are_the_same_by_the_plain_way(ref: str, value: object) -> None:
    encoder = _encoder(ref)
    try:
        plain = plain_encoder(encoder)(value)
    except (Doubt, Broken):
        return
    assert encoder.encode(value)[0] == plain


# -- the two ways -----------------------------------------------------------------------------------------------------

ODD = st.one_of(VALUES, st.sampled_from(["Case", "é", "2*4", "  x ", "x" * 100, Decimal("0.10"), Decimal("-3")]))
GUIDES: list[dict[str, Any]] = [
    {},
    {"on_delimiter": "replace", "long_text": "cut"},
    {"uppercase": True, "charset": "basic"},
    {"require": ("PID05", "REF*IA", "N102"), "limits": {"BIG02": 8}},
    {"fixed": {"BIG07": "DR", "BIG08": "00"}, "party_ids": "UL", "item_ids": ("VN",)},
    {"forbid": ("BIG07", "N1*RE", "CTT"), "newline": True, "version": "005010"},
    {"delimiters": Delimiters(element="{", segment="}", component="'", repetition="\\")},
]


def both_ways(plan: Plan, subject: dict[str, Any]) -> tuple[Any, Any]:
    """What the generated function answers (None: it does not), and what the careful way does (None: it refuses)."""
    quick_notes: dict[str, str] = {}
    careful_notes: dict[str, str] = {}
    scope = {**subject, "document": {"purpose": "original"}}
    quick = plan._plainly(scope, quick_notes)
    try:
        careful = plan._carefully(scope, careful_notes, [])
    except DataError:
        return (quick, quick_notes) if quick is not None else None, None
    return (quick, quick_notes) if quick is not None else None, (careful, careful_notes)


@given(
    guide=st.sampled_from(GUIDES),
    line=st.dictionaries(st.sampled_from(["no", "qty", "unit", "price", "ours", "theirs", "text"]), ODD, max_size=3),
    doc=st.dictionaries(st.sampled_from(["date", "number", "vendor", "total"]), ODD, max_size=2),
    us=st.one_of(st.none(), st.fixed_dictionaries({"name": ODD, "id": ODD})),
    remit=st.one_of(st.none(), st.fixed_dictionaries({"name": ODD, "street": ODD})),
)
@settings(relaxed, max_examples=400)
def test_where_the_generated_function_answers_the_careful_way_writes_the_same(
    plan: Callable[..., Plan],
    subject: Callable[..., dict[str, Any]],
    guide: dict[str, Any],
    line: dict[str, Any],
    doc: dict[str, Any],
    us: dict[str, Any] | None,
    remit: dict[str, Any] | None,
) -> None:
    quick, careful = both_ways(plan(**guide), subject(line=line, us=us, remit=remit, **doc))
    assert quick is None or quick == careful


@pytest.mark.parametrize("guide", GUIDES)
def test_a_plain_document_never_needs_the_careful_way(
    plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]], guide: dict[str, Any]
) -> None:
    plain = subject(line={"text": "BLUE"}, us={"name": "HV", "id": "HV01"}, remit={"name": "F", "street": "S"})
    plain["doc"]["lines"][1]["text"] = "RED"
    quick, careful = both_ways(plan(**guide), plain)
    assert quick == careful != None  # noqa: E711


@pytest.mark.parametrize(("guide", "changes"), [r[1:3] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_the_generated_function_writes_nothing_that_must_be_refused(
    plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]], guide: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert both_ways(plan(**guide), subject(**changes)) == (None, None)


def test_accents_are_written_without_the_careful_way(
    plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]]
) -> None:
    quick, careful = both_ways(plan(), subject(line={"text": "Crème"}))
    assert quick == careful
    assert quick[1] == {"PID05, line 1": "'Crème' written as 'Creme'", "unit Case": "CA", "unit Each": "EA"}


def test_the_source_of_a_plan_is_python_to_be_read(plan: Callable[..., Plan]) -> None:
    source = plan().source
    compile(source, "plan", "exec")
    assert "# 'REF*IA'" in source
    assert "out.append(f'REF*IA*{REF02}')" in source


def test_texts_of_a_guide_never_become_code(plan: Callable[..., Plan], subject: Callable[..., dict[str, Any]]) -> None:
    made = plan(fixed={"REF02": "{1/0}\\'\"}{"})
    assert "REF*IA*{1/0}\\'\"}{~" in made.render(subject()).decode()
    assert both_ways(made, subject())[0] is not None


@given(st.dates(min_value=date(1, 1, 1)))
def test_dates_have_eight_digits(day: date) -> None:
    assert _encoder("373").encode(day)[0] == f"{day.year:04}{day.month:02}{day.day:02}"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1\u00bd lb", "1 1/2 lb"),
        ("2\u215c in", "2 3/8 in"),
        ("\u00bc qt", "1/4 qt"),
        ("Cr\u00e8me \u00bd", "Creme 1/2"),
        ("\u00bd\u00bd", "1/2 1/2"),
        ("10\u00b2", "10 2"),
        ("5 m\u00b2", "5 m2"),
    ],
)
def test_a_fraction_after_a_digit_keeps_its_value(text: str, written: str) -> None:
    """Without the space, one and a half would read as eleven halves."""
    assert transliterate(text) == written
