from __future__ import annotations

from stages.ap.partner import TradingPartner
from stages.sterling.protocol.partner import differences, update

WANTED = TradingPartner(code="C", name="N", vendors=("V",), city="Salem", country="US", time_zone="-05")


def test_coded_and_plain_values_compare_equal():
    row = {"city": "Salem", "countryOrRegion": {"code": "US", "display": "United States"}, "timeZone": "-05"}
    assert differences(WANTED, row) == {}


def test_absent_members_differ_from_wanted_ones():
    assert differences(WANTED, {"city": None}) == {"city": "Salem", "countryOrRegion": "US", "timeZone": "-05"}


def test_update_keeps_what_is_not_ours_and_changes_what_is():
    row = {"partnerName": "N", "_id": "N", "city": "Bend", "textMode": {"code": True, "display": "Yes"}}
    assert update({"city": "Salem"}, row) == {"partnerName": "N", "city": "Salem", "textMode": True}
