"""``pyintacct`` against a simulator, unchanged but for its address. It takes its clock from the machine: a session that seems to be over is renewed.

usage: client_pyintacct.py ENDPOINT SENDER SENDERPASSWORD COMPANY USER USERPASSWORD ENTITY; writes one JSON object: what it saw.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pyintacct.client import IntacctAPI
from pyintacct.exceptions import IntacctException
from pyintacct.models.base import Date
from pyintacct.models.purchasing import POTransaction, POTransactionItem, POTransactionItems


def order() -> POTransaction:
    return POTransaction(
        transactiontype="Purchase Order",
        datecreated=Date(year="2026", month="10", day="1"),
        vendorid="V-NEW",
        referenceno="R-1",
        datedue=Date(year="2026", month="10", day="20"),
        returnto={"contactname": ""},
        payto={"contactname": ""},
        potransitems=POTransactionItems(
            potransitem=[POTransactionItem(itemid="I-1", quantity="2", unit="Each", price="3")]
        ),
    )


def main(endpoint: str, sender: str, sender_password: str, company: str, user: str, password: str, entity: str) -> None:
    settings = {
        "SENDER_ID": sender,
        "SENDER_PW": sender_password,
        "COMPANY_ID": company,
        "ENTITY_ID": entity,
        "USER_ID": user,
        "USER_PW": password,
    }
    api = IntacctAPI(settings)
    api.url = endpoint
    seen: dict[str, Any] = {"endpoint": api.get_session_id()[1]}
    seen["bills"] = sorted(
        int(str(bill["RECORDNO"])) for bill in api.read_by_query("APBILL", "RECORDNO > 0", pagesize=7)
    )
    seen["posted"] = len(api.read_by_query("APBILL", "STATE = 'A' AND NOT RECORDID LIKE 'nothing%'"))
    seen["invoices"] = len(api.read_by_query("PODOCUMENT", "", docparid="Vendor Invoice"))
    try:
        api.read_by_query("PODOCUMENT", "", docparid="No such kind")
    except IntacctException as error:
        seen["kind"] = str(error)
    seen["fields"] = len(list(api.inspect("VENDOR", detail=True).find_nodes_with_tag("Field")))
    api.create({"ITEM": {"ITEMID": "I-1", "NAME": "Figs", "ITEMTYPE": "Inventory"}})
    api.create({"VENDOR": {"VENDORID": "V-NEW", "NAME": "New & Co", "DISPLAYCONTACT": {"PRINTAS": "New"}}})
    api.update({"VENDOR": {"VENDORID": "V-NEW", "NAME": "Renamed"}})
    (vendor,) = api.read_by_query("VENDOR", "VENDORID = 'V-NEW'")
    seen["vendor"] = [str(vendor["NAME"]), str(vendor["DISPLAYCONTACT.PRINTAS"])]
    seen["order"] = str(next(api.create(order()).find_nodes_with_tag("key")))
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
