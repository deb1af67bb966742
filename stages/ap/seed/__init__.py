"""Seeded data of a fictional food distributor, for the simulators, the demo, the benches and the tests.

`build_world` is the door. Neutral shapes: each simulator writes them out in its own system's terms.
"""

from stages.ap.seed.generate import build_world
from stages.ap.seed.planted import DUPLICATE, ORIGINAL, PLANTED, Planted
from stages.ap.seed.world import (
    SeedAdjustment,
    SeedBill,
    SeedContact,
    SeedEntity,
    SeedLine,
    SeedMaster,
    SeedPartner,
    SeedPayment,
    SeedPaymentDetail,
    SeedPurchase,
    SeedReference,
    SeedVendor,
    World,
)

__all__ = [
    "DUPLICATE",
    "ORIGINAL",
    "PLANTED",
    "Planted",
    "SeedAdjustment",
    "SeedBill",
    "SeedContact",
    "SeedEntity",
    "SeedLine",
    "SeedMaster",
    "SeedPartner",
    "SeedPayment",
    "SeedPaymentDetail",
    "SeedPurchase",
    "SeedReference",
    "SeedVendor",
    "World",
    "build_world",
]
