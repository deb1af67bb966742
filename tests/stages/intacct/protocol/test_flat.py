"""Pages whose records are all alike are taken at once; what comes out is what looking at each element gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from stages.intacct.protocol.flat import flat_rows
from stages.intacct.protocol.responses import read_reply

PARSER = etree.XMLParser(resolve_entities=False, remove_comments=True, remove_pis=True)


def parsed(inner: str) -> etree._Element:
    return etree.fromstring(f"<data listtype='A &gt; B' count='2'>{inner}</data>".encode(), PARSER)


def looked_at(data: etree._Element) -> list[dict[str, str | None]]:
    return [{field.tag.upper(): (field.text or "").strip() or None for field in record} for record in data]


TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\n\r<>&'\"\u00a0\u2028 "), max_size=8
)


@st.composite
def pages(draw: st.DrawFn) -> etree._Element:
    names = draw(
        st.lists(st.sampled_from(["RECORDNO", "NAME", "A", "a.b", "VENDOR.NAME", "_x-1"]), min_size=1, unique=True)
    )
    data = etree.Element("data", count="1")
    for _ in range(draw(st.integers(0, 4))):
        record = etree.SubElement(data, "BILL")
        for name in names:
            try:
                etree.SubElement(record, name).text = draw(TEXTS)
            except ValueError:
                etree.SubElement(record, name)
    if draw(st.booleans()):
        etree.indent(data)
    return data


@given(pages())
def test_a_page_taken_at_once_is_the_page_looked_at(data: etree._Element) -> None:
    assert flat_rows(etree.fromstring(etree.tostring(data), PARSER)) == looked_at(data)


@pytest.mark.parametrize(
    "inner",
    [
        "<B><A>&lt;x&gt; &amp;amp; &#13;y&#9;</A></B>",
        "<B><A><![CDATA[<A>1</A>]]></A></B>",
        "<B><A>1<!-- no -->2</A></B><?x y?><B><A/></B>",
        "<B><a>1</a></B>\n  <B>\n <a> 2 </a></B>",
    ],
)
def test_however_it_is_written_down_it_is_the_same_page(inner: str) -> None:
    data = parsed(inner)

    assert flat_rows(data) == looked_at(data)


@pytest.mark.parametrize(
    "inner",
    [
        "<B><A>1</A><C>2</C></B><B><C>3</C><A>4</A></B>",
        "<B><A>1</A></B><B><A>1</A><C>2</C></B>",
        "<B><A>1</A></B><C><A>1</A></C>",
        "<B><A>1</A></B><B><A><N>1</N></A></B>",
        "<B><A><N>1</N></A></B>",
        "<B><A>1</A><A>2</A></B>",
        '<B><A x="1">1</A></B>',
        "<C><B><A>1</A></B></C><B><A>1</A></B>",
        "<B><A>1</A></B>text<B><A>1</A></B>",
        "<B>text<A>1</A></B>",
        "<B><A>1</A></B><B/>",
        "<B>" + "".join(f"<A{number}>1</A{number}>" for number in range(501)) + "</B>",
        f"<B><{'A' * 201}>1</{'A' * 201}></B>",
    ],
    ids=range(13),
)
def test_a_page_that_is_not_all_alike_and_flat_is_left_to_those_who_look(inner: str) -> None:
    assert flat_rows(parsed(inner)) is None


def test_either_way_a_reply_holds_every_record_in_its_order() -> None:
    head = "<response><control><status>success</status></control><operation><authentication><status>success</status></authentication>"
    tail = "</operation></response>"

    def rows(inner: str) -> list[dict[str, str | None]]:
        body = f"{head}<result><status>success</status><data>{inner}</data></result>{tail}"
        return read_reply(body.encode()).outcomes[0].data.rows

    assert rows("<B><A>1</A><C/></B><B><A>2</A><C>x</C></B>") == [{"A": "1", "C": None}, {"A": "2", "C": "x"}]
    assert rows("<B><A>1</A><C/></B><B><C>x</C><A>2</A></B>") == [{"A": "1", "C": None}, {"A": "2", "C": "x"}]
    assert rows("<B><P><A>1</A></P></B><B><P><A>2</A></P></B>") == [{"P.A": "1"}, {"P.A": "2"}]
