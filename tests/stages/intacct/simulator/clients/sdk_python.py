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


def attachments(sdk: SageIntacctSDK, bill: str) -> list[Any]:
    nobody = refusal(lambda: sdk.bills.update_attachment(bill, "DOC-1"))
    sdk.attachments.create_attachments_folder({"supdocfoldername": "Scans", "supdocparentfoldername": "Bills"})
    file = {"attachmentname": "page", "attachmenttype": "txt", "attachmentdata": "aGVsbG8="}
    sdk.attachments.post(
        {
            "supdocid": "DOC-1",
            "supdocname": "Scan",
            "supdocfoldername": "Scans",
            "attachments": {"attachment": [file, file]},
        }
    )
    sdk.attachments.update({"supdocid": "DOC-1", "supdocdescription": "both sides"})
    marked = sdk.bills.update_attachment(bill, "DOC-1")["status"]
    found = sdk.attachments.get_attachment("supdocid", "DOC-1")["data"]["supdoc"]
    folder = sdk.attachments.get_folder("name", "Scans")["data"]["supdocfolder"]["parentfolder"]
    every = (len(sdk.attachments.get_all_folders()), sdk.attachments.get_all_attachments()["supdocid"])
    deleted = sdk.attachments.delete("DOC-1")["status"]
    return [nobody, marked, found["description"], len(found["attachments"]["attachment"]), folder, *every, deleted]


def contact(sdk: SageIntacctSDK) -> list[Any]:
    made = sdk.contacts.post({"CONTACTNAME": "Jane", "PRINTAS": "Jane Doe", "MAILADDRESS": {"CITY": "Salem"}})
    key = made["data"]["contact"]["RECORDNO"]
    sdk.contacts.update({"CONTACTNAME": "Jane", "EMAIL1": "jane@example.com"})
    fields = ["PRINTAS", "EMAIL1", "MAILADDRESS.CITY"]
    (found,) = sdk.contacts.get_by_query(fields=fields, and_filter=[("equalto", "CONTACTNAME", "Jane")])
    return [
        *(found[field] for field in fields),
        sdk.contacts.delete(key)["status"],
        sdk.contacts.get("CONTACTNAME", "Jane")["@count"],
    ]


def operators(sdk: SageIntacctSDK) -> dict[str, Any]:
    """Every operator, alone, side by side under ``and`` and ``or``; each as the bills it finds."""
    tests: dict[str, tuple[str, Any]] = {
        "equalto": ("STATE", "Posted"),
        "notequalto": ("STATE", "Posted"),
        "lessthan": ("RECORDNO", "50020"),
        "lessthanorequalto": ("WHENCREATED", "10/15/2026"),
        "greaterthan": ("WHENMODIFIED", "10/15/2026 00:00:00"),
        "greaterthanorequalto": ("RECORDNO", "50020"),
        "between": ("RECORDNO", ["50010", "50020"]),
        "in": ("STATE", ["Posted", "Paid"]),
        "notin": ("STATE", ["Posted", "Paid"]),
        "like": ("RECORDID", "INV%"),
        "notlike": ("RECORDID", "INV%"),
    }

    def bills(**how: Any) -> list[int]:
        return sorted(int(bill["RECORDNO"]) for bill in sdk.bills.get_by_query(fields=["RECORDNO"], **how))

    found: dict[str, Any] = {name: bills(and_filter=[(name, field, value)]) for name, (field, value) in tests.items()}
    found["isnull"] = bills(filter_payload={"isnull": {"field": "WHENDISCOUNT"}})
    found["isnotnull"] = bills(filter_payload={"isnotnull": {"field": "WHENDISCOUNT"}})
    found["either"] = bills(or_filter=[("equalto", "STATE", "Posted"), ("equalto", "STATE", "Paid")])
    found["count"] = sdk.bills.count(and_filter=[("equalto", "STATE", "Posted"), ("greaterthan", "RECORDNO", "50020")])
    return found


def private(endpoint: str, sender: str, sender_password: str, company: str, user: str, password: str) -> list[int]:
    """From the top level: the bills of the whole company without and with `showprivate`."""
    counts = []
    for show in (False, True):
        sdk = SageIntacctSDK(
            sender_id=sender,
            sender_password=sender_password,
            user_id=user,
            company_id=company,
            user_password=password,
            show_private=show,
        )
        counts.append(len(sdk.bills.get_all()))
    return counts


def lists(sdk: SageIntacctSDK) -> dict[str, int]:
    """What each part of the SDK that this company has records for counts, and reads in its two ways."""
    found = {}
    for name in ("bills", "vendors", "contacts", "ap_payments", "items", "projects", "customers", "employees"):
        part = getattr(sdk, name)
        counts = {part.count(None), len(part.get_all()), int(part.read_by_query()["data"]["@totalcount"])}
        assert len(counts) == 1, (name, counts)
        assert part.get_lookup()["Type"]["@Name"] == part._ApiBase__dimension
        found[name] = counts.pop()
    return found


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
    seen["operators"] = operators(sdk)
    seen["attachments"] = attachments(sdk, str(seen["bills"][0]))
    seen["contact"] = contact(sdk)
    seen["private"] = private(endpoint, sender, sender_password, company, user, password)
    seen["lists"] = lists(sdk)
    seen["unknown field"] = refusal(lambda: sdk.bills.get_all(fields=["NOPE"]))
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
