"""Who Harbor & Vale Foodservice buys from: its entities, its vendor master and its EDI partners.

The same for every seed and every number of bills, because the shipped partner files (`flows/partners/`) rest on it.
All names are invented.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

import msgspec

from stages.ap.seed.world import SeedContact, SeedEntity, SeedPartner, SeedVendor

ENTITIES = (
    SeedEntity(id="10", name="Broadline"),
    SeedEntity(id="20", name="Produce & Dairy"),
    SeedEntity(id="30", name="Protein & Seafood"),
    SeedEntity(id="90", name="Shared Services"),
)

FIRST_ID = 1001
ACTIVE, INACTIVE, ONE_TIME = 214, 9, 12
ENTITY_RESTRICTED, OTHER_REMIT_TO = 18, 23


class Kind(msgspec.Struct, frozen=True):
    """What vendors of one trade have in common: how many there are, who buys, on which terms, what they are called."""

    vendors: int
    entity: str
    terms: tuple[str, ...]
    trades: tuple[str, ...]


KINDS: dict[str, Kind] = {
    "Produce": Kind(38, "20", ("Net 10", "Net 21"), ("Produce", "Growers", "Orchards", "Farms", "Citrus")),
    "Meat": Kind(24, "30", ("Net 7", "Net 14"), ("Meats", "Poultry", "Packing", "Beef", "Provisions")),
    "Seafood": Kind(17, "30", ("Net 14", "1/10 Net 30"), ("Seafood", "Fish", "Shellfish", "Oysters")),
    "Dairy": Kind(16, "20", ("Net 14", "Net 21"), ("Dairy", "Creamery", "Cheese", "Eggs")),
    "Dry grocery": Kind(
        52, "10", ("2/10 Net 30",), ("Grocery", "Mills", "Canning", "Coffee", "Spice", "Pasta", "Oils")
    ),
    "Frozen": Kind(27, "10", ("2/10 Net 30", "Net 30"), ("Frozen Foods", "Ice Cream", "Bakery", "Potatoes")),
    "Paper": Kind(14, "10", ("2/15 Net 45",), ("Paper", "Packaging", "Chemical", "Janitorial")),
    "Service": Kind(
        26,
        "90",
        ("Net 15", "Net 30", "Due on receipt"),
        ("Freight", "Energy", "Pest Control", "Linen"),
    ),
}

EDI: tuple[tuple[str, str, str, tuple[int, ...]], ...] = (
    # code, name, kind, vendor numbers; several numbers are one partner that the books know more than once
    ("RIVERBEND", "Riverbend Produce", "Produce", (1014, 1187)),
    ("GREENHOLLOW", "Green Hollow Farms", "Produce", (1003,)),
    ("SUNFIELD", "Sunfield Growers", "Produce", (1009,)),
    ("ORCHARDGATE", "Orchard Gate Fruit", "Produce", (1017,)),
    ("VALEMEADOW", "Vale Meadow Greens", "Produce", (1026,)),
    ("HIGHLEDGE", "High Ledge Mushrooms", "Produce", (1038,)),
    ("COLDSPRING", "Coldspring Berries", "Produce", (1052,)),
    ("MARSHLAND", "Marshland Onion & Potato", "Produce", (1067,)),
    ("STONEFENCE", "Stone Fence Orchards", "Produce", (1090,)),
    ("IRONWOOD", "Ironwood Meats", "Meat", (1001,)),
    ("PRAIRIEGATE", "Prairie Gate Beef", "Meat", (1006,)),
    ("HOLLOWOAK", "Hollow Oak Poultry", "Meat", (1012,)),
    ("RUSSETBARN", "Russet Barn Packing", "Meat", (1031,)),
    ("NORTHPASTURE", "North Pasture Lamb", "Meat", (1058,)),
    ("MILLRACE", "Millrace Provisions", "Meat", (1077,)),
    ("TIDEWATER", "Tidewater Seafood", "Seafood", (1021, 1160)),
    ("HARBORLIGHT", "Harborlight Fish", "Seafood", (1033,)),
    ("GULLPOINT", "Gull Point Oysters", "Seafood", (1062,)),
    ("BANKSIDE", "Fundy Bankside Lobster", "Seafood", (1084,)),
    ("COPPERKETTLE", "Copper Kettle Dairy", "Dairy", (1002,)),
    ("CLOVERDELL", "Cloverdell Creamery", "Dairy", (1011,)),
    ("WHITEGATE", "White Gate Cheese", "Dairy", (1029,)),
    ("LAITERIENORD", "Laiterie du Nord-Côte", "Dairy", (1045,)),
    ("BROOKSTILE", "Brookstile Eggs", "Dairy", (1071,)),
    ("CANALROW", "Canal Row Grocery", "Dry grocery", (1004,)),
    ("QUILLFORD", "Quillford Mills", "Dry grocery", (1007,)),
    ("OLDWHARF", "Old Wharf Coffee & Tea", "Dry grocery", (1019,)),
    ("SALTERSROW", "Salters Row Spice", "Dry grocery", (1024,)),
    ("BELLTOWER", "Belltower Pasta", "Dry grocery", (1036,)),
    ("AMBERLANE", "Amber Lane Foods", "Dry grocery", (1048,)),
    ("CASKGRAIN", "Cask & Grain Vinegar", "Dry grocery", (1069,)),
    ("PEPPERHILL", "Pepperhill Canning", "Dry grocery", (1101,)),
    ("FROSTVALE", "Frostvale Frozen Foods", "Frozen", (1005,)),
    ("GLACIERGAP", "Glacier Gap Foods", "Frozen", (1015,)),
    ("SNOWBERRY", "Snowberry Desserts", "Frozen", (1040,)),
    ("ICEHOUSE", "Icehouse Road Potatoes", "Frozen", (1055,)),
    ("NORTHSTACK", "Northstack Bakery", "Frozen", (1096,)),
    ("GRANITESTATE", "Granite State Paper", "Paper", (1008,)),
    ("CLEARSLUICE", "Clear Sluice Chemical", "Paper", (1043,)),
    ("PACKHORSE", "Packhorse Packaging", "Paper", (1081,)),
    ("LONGPIKE", "Long Pike Freight", "Service", (1010,)),
)

ALSO_KNOWN_AS = {
    1187: "Vale Road Produce",
    1160: "Port Lane Fish Auction",
}  # the books' names of a partner's second vendor
CANADIAN = frozenset({1045, 1084, 1133, 1178})  # they bill in CAD
UNREACHABLE = 1200  # the books hold no contact for this one

_PLACES = (
    [
        "Ash",
        "Birch",
        "Cedar",
        "Elm",
        "Fern",
        "Hazel",
        "Heron",
        "Juniper",
        "Kestrel",
        "Larch",
        "Linden",
        "Maple",
        "Otter",
        "Quail",
        "Rowan",
        "Sedge",
        "Thistle",
        "Willow",
        "Wren",
        "Yarrow",
    ],
    ["brook", "combe", "croft", "ferry", "ford", "gate", "holm", "mere", "moor", "ridge", "stead", "wick"],
)
_ACCENTED = ("Peñalta", "Côteau-Vert", "Müllerfeld", "São Telmo", "Ángel Mesa")
_FIRST = [
    "Ada",
    "Ben",
    "Carla",
    "Dev",
    "Elena",
    "Frank",
    "Grace",
    "Hugo",
    "Iris",
    "Jamal",
    "Karin",
    "Luis",
    "Mina",
    "Noah",
    "Olga",
    "Pavel",
    "Rosa",
    "Sven",
    "Tara",
    "Umar",
]
_LAST = [
    "Abbot",
    "Bauer",
    "Castellan",
    "Dufour",
    "Ekström",
    "Ferris",
    "Grady",
    "Holt",
    "Ibarra",
    "Jonas",
    "Kim",
    "Lund",
    "Marsh",
    "Núñez",
    "Okafor",
    "Pruitt",
    "Quist",
    "Reyes",
]
_CITIES = (
    ("Portsmouth", "NH", "03801"),
    ("Gloucester", "MA", "01930"),
    ("Portland", "ME", "04101"),
    ("Brattleboro", "VT", "05301"),
    ("Pawtucket", "RI", "02860"),
    ("New London", "CT", "06320"),
    ("Albany", "NY", "12207"),
    ("Trenton", "NJ", "08608"),
    ("Lancaster", "PA", "17602"),
    ("Keene", "NH", "03431"),
    ("Holyoke", "MA", "01040"),
    ("Bangor", "ME", "04401"),
)
_CANADIAN_CITIES = (("Moncton", "NB", "E1C 1A1"), ("Rimouski", "QC", "G5L 1A1"))
_STREETS = ("Mill Street", "Water Street", "Depot Road", "Commerce Way", "Old Post Road", "Terminal Avenue")


def partners() -> tuple[SeedPartner, ...]:
    """The EDI partners, as the shipped partner files know them."""
    return tuple(
        SeedPartner(code=code, name=name, vendors=tuple(vendor_id(n) for n in numbers), mailbox=f"/{code}/Inbound")
        for code, name, _, numbers in EDI
    )


def vendor_id(number: int) -> str:
    return f"V-{number}"


def vendors() -> tuple[SeedVendor, ...]:
    """The vendor master, by id: active vendors first, then one-time vendors, then inactive ones."""
    rng = random.Random("vendor master")
    edi = {number: (ALSO_KNOWN_AS.get(number, name), kind) for _, name, kind, numbers in EDI for number in numbers}
    others = _other_names(rng, edi)
    restricted = frozenset(rng.sample([n for n in _numbers(ACTIVE) if n not in edi], ENTITY_RESTRICTED))
    remit = frozenset(rng.sample(_numbers(ACTIVE), OTHER_REMIT_TO))
    result = []
    for number in _numbers(ACTIVE + ONE_TIME + INACTIVE):
        name, kind = edi.get(number) or next(others)
        result.append(_vendor(rng, number, name, kind, restricted=number in restricted, remit=number in remit))
    return tuple(result)


def _numbers(count: int) -> range:
    return range(FIRST_ID, FIRST_ID + count)


def _other_names(rng: random.Random, edi: dict[int, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Names and kinds of the vendors that are not on EDI: those that complete each kind, then the occasional ones."""
    taken = [kind for _, kind in edi.values()]
    kinds = [name for name, kind in KINDS.items() for _ in range(kind.vendors - taken.count(name))]
    rng.shuffle(kinds)
    kinds += rng.choices(("Service", "Dry grocery"), k=ONE_TIME + INACTIVE)
    places = ["".join(parts) for parts in product(*_PLACES)]
    rng.shuffle(places)
    places[: 5 * len(_ACCENTED) : 5] = _ACCENTED
    for kind, place in zip(kinds, places, strict=False):
        yield f"{place} {rng.choice(KINDS[kind].trades)}", kind


def _vendor(rng: random.Random, number: int, name: str, kind: str, *, restricted: bool, remit: bool) -> SeedVendor:
    created = datetime(2019, 1, 7, 14, 0, tzinfo=UTC) + timedelta(seconds=rng.randrange(6 * 365 * 86_400))
    modified = created + timedelta(seconds=rng.randrange(600, 86_400 * 500))
    contact = _contact(rng, name, canadian=number in CANADIAN)
    lockbox = msgspec.structs.replace(
        contact, name=f"{name} Remit", line1=f"PO Box {rng.randrange(100, 9999)}", line2=""
    )
    return SeedVendor(
        record=number - FIRST_ID + 1,
        id=vendor_id(number),
        name=name,
        kind=kind,
        status="inactive" if number >= FIRST_ID + ACTIVE + ONE_TIME else "active",
        one_time=FIRST_ID + ACTIVE <= number < FIRST_ID + ACTIVE + ONE_TIME,
        terms=rng.choice(KINDS[kind].terms),
        currency="CAD" if number in CANADIAN else "USD",
        account=f"HV{rng.randrange(10_000, 99_999)}",
        tax_id=f"00-{rng.randrange(1_000_000, 9_999_999)}",
        contact=None if number == UNREACHABLE else contact,
        pay_to=lockbox if remit and number != UNREACHABLE else None,
        entity=KINDS[kind].entity if restricted else "",
        created=created,
        modified=None if number % 90 == 0 else modified,
    )


def _contact(rng: random.Random, name: str, *, canadian: bool) -> SeedContact:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    city, state, postal_code = rng.choice(_CANADIAN_CITIES if canadian else _CITIES)
    domain = "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())
    return SeedContact(
        name=name,
        company=name,
        first_name=first,
        last_name=last,
        phone=f"{rng.choice((603, 207, 413, 518))}-555-{rng.randrange(100, 200):04d}",
        email=f"receivables@{domain}.example",
        line1=f"{rng.randrange(1, 990)} {rng.choice(_STREETS)}",
        line2=rng.choice(("", "", "", "Suite 4", "Dock 2")),
        city=city,
        state=state,
        postal_code=postal_code,
        country="Canada" if canadian else "United States",
        country_code="CA" if canadian else "US",
    )
