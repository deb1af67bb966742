"""Stage ``ap.partner``: a vendor becomes the trading partner that stands for it on the far side.

What may live here: the neutral shape of a trading partner and how a vendor, a partner file and defaults make one.
How a file-transfer product spells its fields is that product's adapter's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pipeline import Context, DataError, Excluded, Finding, Recall, Record
from stages.ap.model import Contact, Vendor
from stages.ap.partners import Defaults, Partner, Partners, far_name, load_partners, partners_folder, required_partners


class TradingPartner(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted state of one trading partner. Texts are stripped; an empty text means unknown: leave what is there.

    ``code`` identifies it: the partner file's code, or the vendor id where no file names the vendor. ``name`` is the
    key on the far side, ``code`` reduced to ``A-Z a-z 0-9 _``; it never follows the vendor's display name, so renaming
    a vendor renames nothing. ``vendors`` are all vendor ids it stands for, in the order of the partner file.
    ``country`` is the two-letter code. ``time_zone`` is a signed code such as ``-05``. ``mailboxes`` are those it needs besides its own:
    where it is sent to, then where it answers. ``formerly`` are codes under which it may be there. Mailboxes and the interchange's
    ids are known of partners with a file only. It is not ``active`` when the only vendor it stands for is inactive in the books, and the
    flow lets that vendor through.
    """

    code: str
    name: str
    vendors: tuple[str, ...]
    community: str = ""
    display_name: str = ""  # the partner's or vendor's own name, for people
    given_name: str = ""
    surname: str = ""
    email: str = ""
    phone: str = ""
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    time_zone: str = ""
    mailboxes: tuple[str, ...] = ()
    formerly: tuple[str, ...] = ()
    active: bool = True
    isa_qualifier: str = ""
    isa_id: str = ""
    gs: str = ""


class PartnerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``partners`` is the folder of partner files, relative to the flow's. ``defaults`` fill what the books leave open."""

    partners: str = "partners/"
    community: str = ""
    defaults: Defaults = Defaults()


class PartnerStage:
    """Makes trading partners. What wins, first to last: the partner file, the vendor's contact, the flow's defaults.

    The vendors of one partner file are one trading partner, made from one of them; the others are excluded as merged. It is the first in the
    file that is active, as far as the ledger knows: one that the flow left out when it was read last (inactive, deleted) is passed over. One that was
    never read may still come, and is waited for.
    """

    def __init__(self, settings: PartnerSettings, partners: Partners, recall: Recall) -> None:
        self._settings = settings
        self._partners = partners
        self._recall = recall
        self._active: set[str] = set()  # vendors that came here in this run
        self._codes = {far_name(partner.code).upper(): partner.code for partner in partners.all}

    async def __call__(self, record: Record) -> Record:
        vendor: Vendor = record.body
        partner = self._partners.for_vendor(vendor.id)
        if partner is None:
            self._claim(vendor)
        elif partner.trading_partner.opt_out:
            raise Excluded("opted out", f"the file of partner {partner.code} says so")
        elif len(partner.vendors) > 1:
            await self._choose(record, vendor, partner)
        return record.replace(body=trading_partner(vendor, partner, self._settings))

    async def _choose(self, record: Record, vendor: Vendor, partner: Partner) -> None:
        """Excludes the vendor unless the partner is made from it."""
        if vendor.status == "inactive":
            raise Excluded(f"inactive, of partner {partner.code}")
        self._active.add(vendor.id)
        before = partner.vendors[: partner.vendors.index(vendor.id)]
        known = await self._recall(record.company, record.object, before) if before else []
        gone = {
            each.key for each in known if each.left_out and each.left_out != merged_into(partner.code)
        } - self._active
        carrier = next((other for other in before if other not in gone), None)
        if carrier is not None:
            raise Excluded(merged_into(partner.code), f"vendor {carrier} carries it")

    def _claim(self, vendor: Vendor) -> None:
        """Two vendors whose ids differ in punctuation only would overwrite each other's trading partner."""
        name = far_name(vendor.id)
        holder = self._codes.setdefault(name.upper(), vendor.id)
        if holder != vendor.id:
            raise DataError(
                f"the trading partner of vendor {vendor.id} has the same name as that of {holder}",
                where=f"vendor {vendor.id}",
                why=f"on the far side both are called {name}: letters, digits and _ are all a name may hold",
                mend=f"give {vendor.id} a partner file with a code of its own",
                owner="EDI desk",
                code="MLC-AP-0003",
            )


def merged_into(code: str) -> str:
    """The rule that leaves out vendors of a partner that is made from another one."""
    return f"merged into partner {code}"


def trading_partner(vendor: Vendor, partner: Partner | None, settings: PartnerSettings) -> TradingPartner:
    """The trading partner of a vendor, with the partner file's word where there is one. Pure."""
    code = partner.code if partner else vendor.id
    wanted: dict[str, Any] = _known(settings.defaults) | _from_books(vendor.contact)
    wanted |= {"community": settings.community} if settings.community else {}
    wanted |= _known(partner.trading_partner) if partner else {}
    return TradingPartner(
        code=code,
        name=far_name(code),
        vendors=partner.vendors if partner else (vendor.id,),
        display_name=partner.name if partner else vendor.name.strip(),
        active=vendor.status != "inactive",
        **wanted | (_from_file(partner) if partner else {}),
    )


def _from_file(partner: Partner) -> dict[str, Any]:
    answers = partner.acknowledgement.mailbox or (partner.acknowledgement.expect != "none" and partner.answers_mailbox)
    mailboxes = (partner.mailbox, answers) if answers else (partner.mailbox,)
    # Before a vendor got its file it was a trading partner of its own, under its own id.
    former = (*partner.trading_partner.formerly, *partner.vendors)
    return {
        "mailboxes": tuple(dict.fromkeys(mailboxes)),
        "formerly": tuple(code for code in dict.fromkeys(former) if code != partner.code),
        "isa_qualifier": partner.identity.isa.qualifier,
        "isa_id": partner.identity.isa.id,
        "gs": partner.identity.gs,
    }


def _known(settings: Defaults) -> dict[str, str]:
    """The texts of a mapping in a file that say something."""
    fields = msgspec.structs.asdict(settings).items()
    return {name: value.strip() for name, value in fields if isinstance(value, str) and value.strip()}


def _from_books(contact: Contact) -> dict[str, str]:
    address = contact.address
    known = {
        "given_name": contact.first_name,
        "surname": contact.last_name,
        "email": contact.email,
        "phone": contact.phone,
        "address_line1": address.line1,
        "address_line2": address.line2,
        "city": address.city,
        "state": address.state,
        "postal_code": address.postal_code,
        "country": address.country,
    }
    return {name: value.strip() for name, value in known.items() if value.strip()}


def build_partner(settings: PartnerSettings, context: Context) -> PartnerStage:
    """Reads the partner files once. Raises `FlowError` with every finding about them."""
    partners = required_partners(settings.partners, context.folder, context.environment)
    return PartnerStage(settings, partners, context.recall)


def lint_partner(settings: PartnerSettings, folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    """The findings about the partner files this stage reads."""
    return load_partners(partners_folder(settings.partners, folder, environment))[1]
