"""``sageintacctsdk`` against a simulator, unchanged but for its endpoint, which it keeps in a private attribute.

usage: sdk_python.py ENDPOINT SENDER SENDERPASSWORD COMPANY USER USERPASSWORD ENTITY; writes one JSON object: what it saw.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sageintacctsdk import SageIntacctSDK
from sageintacctsdk.apis.api_base import ApiBase


def at_endpoint(endpoint: str) -> None:
    made = ApiBase.__init__

    def make(self: ApiBase, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        self._ApiBase__api_url = endpoint

    ApiBase.__init__ = make


def refusal(work: Any) -> str:
    try:
        work()
    except Exception as error:
        return type(error).__name__
    return ""


def main(endpoint: str, sender: str, sender_password: str, company: str, user: str, password: str, entity: str) -> None:
    at_endpoint(endpoint)

    def sign_in(password: str) -> SageIntacctSDK:
        return SageIntacctSDK(
            sender_id=sender,
            sender_password=sender_password,
            user_id=user,
            company_id=company,
            user_password=password,
            entity_id=entity,
        )

    seen: dict[str, Any] = {"wrong password": refusal(lambda: sign_in("wrong"))}
    sdk = sign_in(password)
    seen["endpoint"] = sdk.api_base._ApiBase__api_url
    seen["vendors"] = sorted(vendor["VENDORID"] for vendor in sdk.vendors.get_all())
    seen["active"] = sdk.vendors.count()
    seen["bills"] = sorted(int(bill["RECORDNO"]) for bill in sdk.bills.get_all())
    pages = sdk.bills.get_all_generator(
        fields=["RECORDNO", "WHENMODIFIED"],
        updated_at="01/01/2000 00:00:00",
        order_by_field="RECORDNO",
        order="descending",
    )
    seen["ordered"] = [int(bill["RECORDNO"]) for page in pages for bill in page]
    seen["filtered"] = len(
        sdk.bills.get_by_query(
            fields=["RECORDNO"],
            and_filter=[
                ("in", "STATE", ["Posted", "Paid"]),
                ("greaterthan", "RECORDNO", "0"),
                ("greaterthan", "RECORDNO", "1"),
            ],
        )
    )
    seen["one"] = sdk.vendors.get("VENDORID", seen["vendors"][0])["VENDOR"][0]["VENDORID"]
    seen["by query"] = sdk.bills.get("STATE", "A", ["RECORDNO", "STATE"])["@totalcount"]
    seen["payments"] = len(sdk.ap_payments.get_all())
    seen["lookup"] = sdk.bills.get_lookup()["Type"]["@Name"]
    seen["dimensions"] = [each["objectName"] for each in sdk.dimensions.get_all()]
    seen["objects"] = len(sdk.dimensions.get_objects()["type"])
    for name in (
        "accounts",
        "departments",
        "locations",
        "classes",
        "projects",
        "items",
        "location_entities",
        "contacts",
    ):
        seen[name] = len(getattr(sdk, name).get_all())
    made = sdk.vendors.post({"VENDORID": "V-NEW", "NAME": "New & Co"})
    seen["created"] = made["data"]["vendor"]["VENDORID"]
    seen["twice"] = refusal(lambda: sdk.vendors.post({"VENDORID": "V-NEW", "NAME": "Again"}))
    sdk.vendors.update({"VENDORID": "V-NEW", "NAME": "Renamed"})
    seen["renamed"] = sdk.vendors.get("VENDORID", "V-NEW", ["NAME"])["VENDOR"][0]["NAME"]
    seen["deleted"] = sdk.vendors.delete(made["data"]["vendor"]["RECORDNO"])["status"]
    seen["marked"] = sdk.bills.update_attachment(str(seen["bills"][0]), "DOC-1")["status"]
    seen["unknown field"] = refusal(lambda: sdk.bills.get_all(fields=["NOPE"]))
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
