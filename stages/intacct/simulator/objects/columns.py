"""How the objects' fields are written down: the builders the tables beside this file share, and the field groups that several have."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from stages.intacct.simulator.model import Field, Getter, Kind
from stages.intacct.simulator.rows import BillRow, ContactRow, PaymentRow, PurchaseRow, VendorRow

Pairs = tuple[tuple[str, str], ...]

STATUS: Pairs = (("active", "T"), ("inactive", "F"), ("active non-posting", "P"))
FLAGS: Pairs = (("T", "T"), ("F", "F"))
PRIORITIES: Pairs = (("urgent", "u"), ("high", "h"), ("normal", "n"), ("low", "l"))

ZERO = Decimal(0)


# What people or the gateway cannot set: keys, stamps, sums, and what is shown of other records.
_READ_ONLY = frozenset(
    [
        "RECORDNO",
        "RECORDTYPE",
        "STATE",
        "RAWSTATE",
        "CREATEDBY",
        "MODIFIEDBY",
        "CREATEDBYLOGINID",
        "MODIFIEDBYLOGINID",
        "RECORD_URL",
        "MEGAENTITYKEY",
        "MEGAENTITYID",
        "MEGAENTITYNAME",
        "VENDORNAME",
        "PRBATCHKEY",
        "MODULEKEY",
        "SYSTEMGENERATED",
        "DUE_IN_DAYS",
        "WHENDISCOUNT",
        "TERMKEY",
        "BILLTOPAYTOKEY",
        "SHIPTORETURNTOKEY",
        "DISPLAYCONTACTKEY",
        "PAYTOKEY",
        "TOTALENTERED",
        "TOTALSELECTED",
        "TOTALPAID",
        "TOTALDUE",
        "TRX_TOTALENTERED",
        "TRX_TOTALSELECTED",
        "TRX_TOTALPAID",
        "TRX_TOTALDUE",
        "TRX_ENTITYDUE",
        "SUPERVISORNAME",
        "REFTYPECONTEXT",
        "PRRECORDKEY",
        "DOCPARCLASS",
        "CONTACTTAXGROUP",
        "SCHOPKEY",
        "DOCHDRKEY",
        "USERID",
        "CREATEDUSERID",
    ]
)


def field(id: str, kind: Kind, take: Getter, codes: Pairs = (), *, required: bool = False, writable: str = "") -> Field:
    return Field(
        id=id,
        kind=kind,
        take=take,
        codes=codes,
        required=required,
        writable=writable,
        read_only=id in _READ_ONLY or kind == "TIMESTAMP",
    )


def blanks(kind: Kind, names: str) -> list[Field]:
    """Fields that companies of this kind have and leave empty."""
    return [field(name, kind, none) for name in names.split()]


def fields(fields: Iterable[Field]) -> dict[str, Field]:
    return {field.id: field for field in fields}


def none(_: object) -> None:
    return None


def constant(value: object) -> Getter:
    return lambda _: value


RECORD = field("RECORDNO", "INTEGER", lambda r: r.record, required=True)


def contact_group(prefix: str, get: Getter) -> list[Field]:
    """The fields of a contact group. ``get`` gives the `SeedContact` of a row, or None."""

    def text(name: str, attribute: str) -> Field:
        behind = "" if prefix or name == "CONTACTNAME" else attribute  # of a contact itself
        return field(prefix + name, "TEXT", lambda r: getattr(get(r), attribute, "") or None, writable=behind)

    def blank(name: str) -> Field:
        return field(prefix + name, "TEXT", none)

    def flag(name: str, value: bool) -> Field:
        return field(prefix + name, "BOOLEAN", lambda r: value if get(r) else None)

    status = field(prefix + "STATUS", "ENUM", lambda r: "active" if get(r) else None, STATUS)
    return [
        text("CONTACTNAME", "name"),
        text("COMPANYNAME", "company"),
        blank("PREFIX"),
        text("FIRSTNAME", "first_name"),
        blank("INITIAL"),
        text("LASTNAME", "last_name"),
        field(
            prefix + "PRINTAS",
            "TEXT",
            lambda r: (contact.print_as or contact.company or None) if (contact := get(r)) else None,
            writable="" if prefix else "print_as",
        ),
        flag("TAXABLE", True),
        blank("TAXGROUP"),
        text("PHONE1", "phone"),
        *(blank(name) for name in ("PHONE2", "CELLPHONE", "PAGER", "FAX")),
        text("EMAIL1", "email"),
        *(blank(name) for name in ("EMAIL2", "URL1", "URL2")),
        flag("VISIBLE", True),
        blank("TAXID"),
        text("MAILADDRESS.ADDRESS1", "line1"),
        text("MAILADDRESS.ADDRESS2", "line2"),
        blank("MAILADDRESS.ADDRESS3"),
        text("MAILADDRESS.CITY", "city"),
        text("MAILADDRESS.STATE", "state"),
        text("MAILADDRESS.ZIP", "postal_code"),
        text("MAILADDRESS.COUNTRY", "country"),
        text("MAILADDRESS.COUNTRYCODE", "country_code"),
        blank("MAILADDRESS.LATITUDE"),
        blank("MAILADDRESS.LONGITUDE"),
        status,
    ]


def stamps(created: Getter, modified: Getter) -> list[Field]:
    """The audit fields. The books show both times without a zone; see `Books.stamp`."""
    return [
        field("AUWHENCREATED", "TIMESTAMP", lambda r: r.books.created_stamp(created(r))),
        field("WHENMODIFIED", "TIMESTAMP", lambda r: r.books.stamp(modified(r))),
        *users(modified),
    ]


def users(modified: Getter) -> list[Field]:
    """Who saved a record first and last."""
    return [
        field("CREATEDBY", "INTEGER", constant(1)),
        field("MODIFIEDBY", "INTEGER", lambda r: 1 if modified(r) else None),
        *blanks("TEXT", "CREATEDBYLOGINID MODIFIEDBYLOGINID"),
    ]


def _entity_key(row: VendorRow | ContactRow | BillRow | PurchaseRow | PaymentRow) -> int | None:
    entity = row.books.entity(row.entity)
    return entity.record if entity else None


def _entity_name(row: VendorRow | ContactRow | BillRow | PurchaseRow | PaymentRow) -> str | None:
    entity = row.books.entity(row.entity)
    return entity.seed.name if entity else None


ENTITY = [
    field("MEGAENTITYKEY", "INTEGER", _entity_key),
    field("MEGAENTITYID", "TEXT", lambda r: r.entity or None),
    field("MEGAENTITYNAME", "TEXT", _entity_name),
]


def line_dimensions() -> list[Field]:
    """What bill lines and purchase lines both carry of the company's dimensions."""
    return [
        field("DEPARTMENTID", "TEXT", lambda r: r.line.department or None),
        field("LOCATIONID", "TEXT", lambda r: r.line.location or r.entity or None),
        field("PROJECTID", "TEXT", none),
        field("CLASSID", "TEXT", none),
        field("CUSTOMERID", "TEXT", none),
        field("EMPLOYEEID", "TEXT", none),
        field("ITEMID", "TEXT", lambda r: r.line.item or None),
        field("ITEMNAME", "TEXT", lambda r: r.line.item_name or None),
    ]
