"""What the simulated company tells of itself: dimensions and permissions; and its types beside recorded ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

SAMPLES = Path(__file__).parents[4].parent / "shared" / "samples" / "intacct"
RECORDED = ("APBILL", "APTERM", "DEPARTMENT", "GLACCOUNT", "LOCATION")


async def test_dimensions_are_listed_with_their_objects(wired):
    async with wired() as wire:
        result = await wire.call("<getDimensions></getDimensions>")

    data = result.find("data")
    assert (data.attrib, data[0].tag) == ({}, "dimensions")
    assert [each.findtext("objectName") for each in data[0]][:2] == ["DEPARTMENT", "LOCATION"]


async def test_permissions_leave_out_what_is_denied(wired):
    async with wired(denied=frozenset({"AUDITHISTORY"})) as wire:
        result = await wire.call("<getUserPermissions><userId>sync</userId></getUserPermissions>")
        other = await wire.call("<getUserPermissions><userId>nobody</userId></getUserPermissions>")

    rights = {each.findtext("policyName"): each.findtext("rights") for each in result.iter("policy")}
    assert (rights["AUDITHISTORY"], rights["APBILL"]) == ("", "List|View")
    assert other.findtext("errormessage/error/errorno") == "BL01001973"


@pytest.mark.parametrize(
    "function",
    [
        "<query><object>AUDITHISTORY</object><select><field>ID</field></select></query>",
        "<readByQuery><object>AUDITHISTORY</object><fields>*</fields><query/></readByQuery>",
        "<read><object>AUDITHISTORY</object><keys>1</keys></read>",
    ],
)
async def test_a_denied_object_is_refused_in_so_many_words(wired, function):
    async with wired(denied=frozenset({"AUDITHISTORY"})) as wire:
        result = await wire.call(function)

    assert "You do not have permission for API operation" in result.findtext("errormessage/error/description2")


@pytest.mark.parametrize("object", RECORDED)
async def test_a_type_has_the_fields_that_were_recorded_of_a_real_company(wired, object):
    file = SAMPLES / f"intacctsdk-lookup-{object}.xml"
    if not file.exists():
        pytest.skip("the recorded replies are not on this machine")
    async with wired() as wire:
        ours = (await wire.call(f"<lookup><object>{object}</object></lookup>")).find("data/Type/Fields")

    def shape(fields: etree._Element) -> dict[str, str]:
        return {field.findtext("ID"): field.findtext("DATATYPE") for field in fields}

    recorded = etree.parse(file).getroot().find(".//Fields")
    own = {field.findtext("ID") for field in recorded if field.findtext("ISCUSTOM") == "true"}
    wanted = {name: kind for name, kind in shape(recorded).items() if name not in own}
    assert {name: kind for name, kind in shape(ours).items() if name in wanted} == wanted
