"""What each kind of vendor sells, in which units and at which prices, and how long its bills are."""

from __future__ import annotations

import msgspec


class Goods(msgspec.Struct, frozen=True):
    """``bills`` a month in a full-sized world weigh the kind. ``units`` may repeat a unit to make it likelier.

    ``lines`` and ``lines_p95`` are the mean and the 95th percentile of lines per bill. Prices are cents a unit; those
    of catch-weight goods cents a pound. ``ordered`` is the share of bills that Purchasing makes.
    """

    bills: int
    lines: int
    lines_p95: int
    units: tuple[str, ...]
    cents: tuple[int, int]
    quantity: int  # typical count per line
    catch_weight: float
    pound_cents: tuple[int, int]
    ordered: float
    account: str
    items: tuple[str, ...]


GOODS: dict[str, Goods] = {
    "Produce": Goods(
        980,
        8,
        24,
        ("CS", "CS", "CS", "EA", "BU"),
        (900, 6200),
        7,
        0.12,
        (80, 420),
        0.7,
        "5010",
        (
            "Romaine hearts 24 ct",
            "Carrots jumbo 50 lb",
            "Yellow onions jumbo",
            "Russet potatoes 80 ct",
            "Gala apples 100 ct",
            "Roma tomatoes 25 lb",
            "Green peppers choice",
            "Celery 30 ct",
            "Strawberries 8/1 lb",
            "Lemons 140 ct",
            "Baby spinach 4/2.5 lb",
            "Button mushrooms 10 lb",
            "Cucumbers select",
            "Flat parsley bunch",
            "Butternut squash 35 lb",
        ),
    ),
    "Meat": Goods(
        610,
        7,
        19,
        ("CS",),
        (2400, 11800),
        2,
        0.81,
        (135, 1480),
        0.75,
        "5020",
        (
            "Beef strip loin 0x1",
            "Ground beef 80/20",
            "Chicken breast boneless",
            "Chicken thigh bone in",
            "Pork loin boneless",
            "Pork shoulder",
            "Bacon layflat 14/18",
            "Turkey breast",
            "Beef chuck roll",
            "Lamb rack frenched",
            "Italian sausage 5/1",
        ),
    ),
    "Seafood": Goods(
        290,
        6,
        15,
        ("CS",),
        (3800, 16400),
        2,
        0.64,
        (410, 3100),
        0.7,
        "5020",
        (
            "Haddock fillet 8/10",
            "Cod loin",
            "Salmon side skin on",
            "Sea scallops U10",
            "Shrimp 16/20 P&D",
            "Littleneck clams 100 ct",
            "Mussels 10 lb",
            "Lobster tail 5 oz",
            "Swordfish loin",
            "Calamari tubes",
        ),
    ),
    "Dairy": Goods(
        520,
        9,
        28,
        ("CS", "CS", "EA", "GA"),
        (1100, 7400),
        6,
        0.22,
        (210, 960),
        0.75,
        "5010",
        (
            "Whole milk 4/1 gal",
            "Heavy cream 12/1 qt",
            "Butter unsalted 36/1 lb",
            "Cheddar shredded 4/5 lb",
            "Mozzarella loaf",
            "Sour cream 4/5 lb",
            "Eggs large loose 15 dz",
            "Cream cheese 10/3 lb",
            "Yogurt plain 4/5 lb",
            "Parmesan wheel quarter",
        ),
    ),
    "Dry grocery": Goods(
        760,
        16,
        60,
        ("CS", "CS", "CS", "EA", "BG"),
        (800, 9600),
        5,
        0.0,
        (0, 0),
        0.8,
        "5030",
        (
            "All purpose flour 50 lb",
            "Granulated sugar 50 lb",
            "Penne rigate 20 lb",
            "Crushed tomatoes 6/10",
            "Olive oil 4/3 L",
            "Kidney beans 6/10",
            "Jasmine rice 50 lb",
            "Ground cumin 16 oz",
            "Coffee medium 42/2.5 oz",
            "Tea bags 10/100 ct",
            "Balsamic vinegar 4/1 gal",
            "Peanut butter 6/5 lb",
            "Kosher salt 12/3 lb",
            "Ketchup 6/114 oz",
            "Mayonnaise 4/1 gal",
        ),
    ),
    "Frozen": Goods(
        430,
        13,
        44,
        ("CS",),
        (1400, 11800),
        5,
        0.04,
        (180, 640),
        0.8,
        "5030",
        (
            "French fries 3/8 6/5 lb",
            "Peas 12/2.5 lb",
            "Puff pastry sheets",
            "Vanilla ice cream 3 gal",
            "Cheesecake 4/14 cut",
            "Hash brown patties",
            "Onion rings 8/2.5 lb",
            "Pizza dough 20 oz",
            "Mixed vegetables 12/2 lb",
            "Blueberries IQF 30 lb",
        ),
    ),
    "Paper": Goods(
        180,
        11,
        38,
        ("CS", "CS", "EA", "PK"),
        (600, 8500),
        5,
        0.0,
        (0, 0),
        0.6,
        "6210",
        (
            "Paper towels 12/800 ft",
            "Foam cup 12 oz 1000 ct",
            "Degreaser 4/1 gal",
            "Can liners 60 gal",
            "Kraft bags 500 ct",
            "Nitrile gloves L 10/100",
            "Dish detergent 5 gal",
            "Foil roll 18 in",
            "Napkins dinner 3000 ct",
        ),
    ),
    "Service": Goods(
        430,
        2,
        6,
        ("EA",),
        (4000, 900000),
        1,
        0.0,
        (0, 0),
        0.0,
        "6400",
        (
            "Line haul",
            "Fuel surcharge",
            "Electricity",
            "Refrigeration service call",
            "Pest control monthly",
            "Linen rental",
            "Waste hauling",
            "Forklift maintenance",
        ),
    ),
}
