"""Stage ``ap.route``: a bill or payment becomes one draft for each document its vendor's partner asks for.

What may live here: choosing the partner and the documents, and gathering what a draft needs. How a bill is written as an
810 or 850, a payment as an 820, is in `stages.ap.invoice_810`, `stages.ap.order_850` and `stages.ap.remittance_820`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from pipeline import ConfigError, Context, Destination, Excluded, Expression, Finding, Record
from stages.ap.invoice_810 import invoice_plan
from stages.ap.model import Bill, Payment
from stages.ap.order_850 import order_plan
from stages.ap.partners import WRONG_GUIDE, Partner, Partners, Rule, load_partners, partners_folder, required
from stages.ap.remittance_820 import remittance_plan
from stages.x12.guide import guide_digest
from stages.x12.guide_lint import lint_guide
from stages.x12.writing.compiler import Place
from stages.x12.writing.draft import Draft, build_envelope
from stages.x12.writing.paths import fingerprint

PLANS = {"810": invoice_plan, "850": order_plan, "820": remittance_plan}


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``partners`` is the folder of partner files, relative to the flow's."""

    partners: str = "partners/"


class Route(msgspec.Struct, frozen=True):
    """One document rule made ready: its condition, and the draft that each bill or payment completes."""

    when: Expression | None
    draft: Draft
    subject: str = "bill"

    def wanted(self, body: Bill | Payment) -> bool:
        made_of = "payment" if isinstance(body, Payment) else "bill"
        return self.subject == made_of and (self.when is None or self.when.holds({self.subject: body}))

    def complete(self, body: Bill | Payment) -> Draft:
        subject = {**self.draft.subject, self.subject: body}
        return msgspec.structs.replace(self.draft, subject=subject, guard=duplicate_guard(body))


class RouteStage:
    """Plans and envelopes are made once, when the stage is built; a bill then only picks and completes drafts."""

    def __init__(self, partners: Partners, by_partner: Mapping[str, tuple[Route, ...]]) -> None:
        self._partners = partners
        self._routes = by_partner

    def __call__(self, record: Record) -> list[Record]:
        """One record per document, all of the same key. Raises `Excluded`, and `DataError` when a condition fails."""
        bill: Bill | Payment = record.body
        partner = self._partners.for_vendor(bill.vendor)
        if partner is None:
            raise _left_out(bill, "not on EDI", f"vendor {bill.vendor} is in no partner file")
        wanted = [route for route in self._routes[partner.code] if route.wanted(bill)]
        if not wanted:
            raise _left_out(bill, "nothing asked for", f"no document rule of partner {partner.code} holds")
        return [record.replace(body=route.complete(bill)) for route in wanted]


def _left_out(body: Bill | Payment, rule: str, detail: str) -> Excluded:
    """Nobody gets it. Whoever was sent it before must hear of it when it has changed since."""
    root = "payment" if isinstance(body, Payment) else "bill"
    return Excluded(rule, detail, fingerprint=lambda fields: fingerprint({root: body}, fields))


def duplicate_guard(body: Bill | Payment) -> str:
    """What a suspected duplicate shares: ``vendor|number|amount|currency``; "" when there is no number to compare."""
    number = body.number.strip()
    kind = "payment|" if isinstance(body, Payment) else ""
    return f"{kind}{body.vendor}|{number}|{body.total.normalize():f}|{body.currency}" if number else ""


Rules = Callable[[Partner], Sequence[Rule]]
"""What a partner asks for, wherever that is written down."""


def rules_of_file(partner: Partner) -> Sequence[Rule]:
    """The rules in the partner's own file."""
    return partner.documents


def routes(partner: Partner, place: Place | None = None, rules: Rules = rules_of_file) -> tuple[Route, ...]:
    """The rules of one partner made ready, in their order. Raises `ConfigError` in the words of the guide.

    ``place`` tells where a key of its guide stands, for the origins of elements.
    """
    envelope = build_envelope(
        us_isa=(partner.us.isa.qualifier, partner.us.isa.id),
        us_gs=partner.us.gs,
        them_isa=(partner.identity.isa.qualifier, partner.identity.isa.id),
        them_gs=partner.identity.gs,
        usage=partner.identity.usage,
        guide=partner.guide,
        ta1=partner.acknowledgement.ta1,
    )
    return tuple(Route(rule.when, _draft(partner, rule, envelope, place), rule.subject) for rule in rules(partner))


def _draft(partner: Partner, rule: Rule, envelope: dict[str, str], place: Place | None) -> Draft:
    """All of a draft that does not depend on the bill or payment."""
    expected = partner.acknowledgement.expect
    plan = PLANS[rule.set](partner.guide, rule.role, place)
    return Draft(
        set=rule.set,
        partner=partner.code,
        plan=plan,
        subject={
            "us": {"name": partner.us.name or partner.us.gs, "id": partner.us.id or partner.us.gs},
            "partner": {"code": partner.code, "name": partner.name},
        },
        envelope=envelope,
        address=partner.mailbox,
        group=_group(partner, rule, envelope),
        batch=partner.batch.documents,
        guide_digest=guide_digest(partner.guide),
        # What cannot say that it replaces another (an 820, an invoice without BIG08) would be taken for one more.
        amendments=partner.amendments if plan.amendable else "hold",
        acknowledgement="" if expected == "none" else expected,
        acknowledge_within=0.0 if expected == "none" else float(partner.acknowledgement.within),
    )


def _group(partner: Partner, rule: Rule, envelope: Mapping[str, str]) -> str:
    """Documents share an interchange when partner, mailbox, set and envelope are equal.

    The envelope counts because documents wait in the ledger while someone may edit the partner's delimiters or ids.
    """
    rest = msgspec.json.encode([partner.mailbox, partner.batch.documents, envelope], order="deterministic")
    return f"{partner.code}|{rule.set}|{hashlib.sha256(rest).hexdigest()[:12]}"


def build_route(settings: RouteSettings, context: Context, rules: Rules = rules_of_file) -> RouteStage:
    """Reads the partner files and compiles their plans once. Raises `FlowError` with every finding about them.

    An adapter whose system says which partner wants what gives ``rules`` in place of those in the files.
    """
    folder = partners_folder(settings.partners, context.folder, context.environment)
    partners, made, findings = _load(folder, rules)
    return RouteStage(required(partners, findings, folder), made)


def lint_route(settings: RouteSettings, folder: Path, environment: Mapping[str, str]) -> list[Finding]:
    """The findings about the partner files this stage reads, plans included."""
    return _load(partners_folder(settings.partners, folder, environment))[2]


def route_destinations(settings: RouteSettings, folder: Path, environment: Mapping[str, str]) -> list[Destination]:
    """The mailbox of every partner that asks for a document; none while the partner files have errors, which `lint_route` tells."""
    partners, _ = load_partners(partners_folder(settings.partners, folder, environment))
    return [Destination(each.code, each.mailbox) for each in partners.all if each.documents] if partners else []


def _load(
    folder: Path, rules: Rules = rules_of_file
) -> tuple[Partners | None, dict[str, tuple[Route, ...]], list[Finding]]:
    """As `load_partners`, with each partner's routes; a partner whose plans cannot be made is a finding too."""
    partners, findings = load_partners(folder)
    made: dict[str, tuple[Route, ...]] = {}
    for partner in partners.all if partners else ():
        assert partners is not None
        if rules is not rules_of_file:  # what files ask for is checked with them
            findings += _guide_findings(partners, partner, rules(partner))
        try:
            made[partner.code] = routes(partner, partners.place(partner), rules)
        except ConfigError as error:
            findings.append(partners.finding(partner, "$.guide", f"{error.what}: {error.why}", code=WRONG_GUIDE))
    broken = any(finding.severity == "error" for finding in findings)
    return (None if broken else partners), made, findings


def _guide_findings(partners: Partners, partner: Partner, rules: Sequence[Rule]) -> list[Finding]:
    """What the tables of X12 say about the partner's guide, for sets that are asked for elsewhere than in its file."""
    sets = dict.fromkeys(rule.set for rule in rules)
    problems = dict.fromkeys(problem for set_ in sets for problem in lint_guide(partner.guide, set_))
    return [partners.finding(partner, "$.guide", problem, code=WRONG_GUIDE) for problem in problems]
