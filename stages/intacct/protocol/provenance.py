"""Which field of the books each path of `stages.ap.model` is read from: what `explain` tells people who know Intacct. One table, pure.

By the object a record came from, then by path. The first field named is the one that counts where several are filled.
"""

from __future__ import annotations

from collections.abc import Mapping

_CONTACT = {
    "name": "CONTACT.CONTACTNAME", "company": "CONTACT.COMPANYNAME", "first_name": "CONTACT.FIRSTNAME",
    "last_name": "CONTACT.LASTNAME", "phone": "CONTACT.PHONE1 or CELLPHONE", "email": "CONTACT.EMAIL1",
    "address.name": "CONTACT.PRINTAS or COMPANYNAME", "address.line1": "CONTACT.MAILADDRESS.ADDRESS1",
    "address.line2": "CONTACT.MAILADDRESS.ADDRESS2", "address.city": "CONTACT.MAILADDRESS.CITY",
    "address.state": "CONTACT.MAILADDRESS.STATE", "address.postal_code": "CONTACT.MAILADDRESS.ZIP",
    "address.country": "CONTACT.MAILADDRESS.COUNTRYCODE or MAILADDRESS.COUNTRY",
}  # fmt: skip

_BILL = {
    "record": "APBILL.RECORDNO", "number": "APBILL.RECORDID", "vendor": "APBILL.VENDORID", "vendor_name": "APBILL.VENDORNAME",
    "state": "APBILL.STATE", "date": "APBILL.WHENCREATED", "due": "APBILL.WHENDUE", "discount_date": "APBILL.WHENDISCOUNT",
    "terms": "APBILL.TERMNAME", "description": "APBILL.DESCRIPTION", "reference": "APBILL.DOCNUMBER",
    "total": "APBILL.TRX_TOTALENTERED or TOTALENTERED", "currency": "APBILL.CURRENCY or BASECURR", "entity": "APBILL.MEGAENTITYID",
    "purchase.id": "PODOCUMENT.DOCID", "purchase.number": "PODOCUMENT.DOCNO", "purchase.date": "PODOCUMENT.WHENCREATED",
    "purchase.order": "PODOCUMENT.PONUMBER or CREATEDFROM",
    "lines.number": "APBILLITEM.LINE_NO", "lines.amount": "APBILLITEM.TRX_AMOUNT or AMOUNT",
    "lines.description": "APBILLITEM.ENTRYDESCRIPTION, else PODOCUMENTENTRY.ITEMDESC or ITEMNAME or MEMO",
    "lines.quantity": "PODOCUMENTENTRY.UIQTY or QUANTITY, else 1", "lines.unit": "PODOCUMENTENTRY.UNIT",
    "lines.price": "PODOCUMENTENTRY.UIPRICE or TRX_PRICE or PRICE, else the amount",
    "lines.vendor_item": "PODOCUMENTENTRY.ITEMALIASID, else ITEMCROSSREF.ITEMALIASID of vendor and item",
    "lines.item": "PODOCUMENTENTRY.ITEMID, else APBILLITEM.ITEMID", "lines.account": "APBILLITEM.ACCOUNTNO or ACCOUNTLABEL",
    "lines.department": "APBILLITEM.DEPARTMENTID, else PODOCUMENTENTRY.DEPARTMENTID",
    "lines.location": "APBILLITEM.LOCATIONID, else PODOCUMENTENTRY.LOCATIONID",
    "taxes.amount": "generated APBILLITEM.TRX_AMOUNT or AMOUNT, by account", "taxes.account": "generated APBILLITEM.ACCOUNTNO or ACCOUNTLABEL",
    **{f"remit_to.{path}": name for path, name in _CONTACT.items()},
}  # fmt: skip

_PAYMENT = {
    "record": "APPYMT.RECORDNO", "number": "APPYMT.DOCNUMBER or RECORDID or RECORDNO", "vendor": "APPYMT.VENDORID",
    "vendor_name": "APPYMT.VENDORNAME", "method": "APPYMT.PAYMENTMETHOD", "state": "APPYMT.STATE",
    "date": "APPYMT.WHENPAID or PAYMENTDATE or WHENCREATED", "memo": "APPYMT.DESCRIPTION",
    "total": "APPYMT.TRX_TOTALENTERED or TOTALENTERED", "currency": "APPYMT.CURRENCY or BASECURR", "entity": "APPYMT.MEGAENTITYID",
    "details.number": "APBILL.RECORDID", "details.paid": "the sum of APPYMTDETAIL.TRX_PAYMENTAMOUNT",
    "details.gross": "APBILL.TRX_TOTALENTERED, where it is paid in full", "details.discount": "the sum of APPYMTDETAIL.TRX_DISCOUNTAMOUNT",
    "details.record": "APPYMTDETAIL.RECORDKEY or POSADJKEY", "details.date": "APBILL.WHENCREATED", "details.order": "APBILL.DOCNUMBER",
}  # fmt: skip

READ_FROM: Mapping[str, Mapping[str, str]] = {
    "APBILL": {f"bill.{path}": name for path, name in _BILL.items()},
    "APPYMT": {f"payment.{path}": name for path, name in _PAYMENT.items()},
}
"""Object of the record -> path -> field or fields."""
