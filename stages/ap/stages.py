"""The stages this adapter offers, one line each; nothing else lives here."""

from __future__ import annotations

from pipeline import StageSpec
from stages.ap.partner import PartnerSettings, build_partner, lint_partner
from stages.ap.route import RouteSettings, build_route, lint_route, route_destinations

STAGES = (
    StageSpec(
        name="ap.route",
        verb="map",
        build=build_route,
        config=RouteSettings,
        lint=lint_route,
        destinations=route_destinations,
        doc="A bill becomes one draft for each document its vendor's partner asks for.",
    ),
    StageSpec(
        name="ap.partner",
        verb="map",
        build=build_partner,
        config=PartnerSettings,
        lint=lint_partner,
        doc="A vendor becomes the trading partner that stands for it; the vendors of one partner file become one.",
    ),
)
