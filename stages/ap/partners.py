"""Partner files: who receives, which vendors each stands for, which documents it wants and how it wants them.

One file a partner, ``_default.yaml`` merged under each: mappings key by key, lists as a whole. Reading them is here, and so
is every check that needs nothing but the files; all findings come at once. What is made of a partner is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pipeline import Duration, Expression, Finding, FlowError, Tree, read_tree
from stages.x12.guide import Guide, merged
from stages.x12.guide_lint import lint_guide

DEFAULT = "_default.yaml"
VARIABLE = "MLC_PARTNERS"
"""The environment variable that, when set, names another folder of partner files than the flow does."""

NOT_THE_FORM = "MLC-PART-0001"
NO_FOLDER = "MLC-PART-0002"
NO_PARTNERS = "MLC-PART-0003"
VENDOR_TWICE = "MLC-PART-0004"
CODE_TWICE = "MLC-PART-0005"
SAME_IDENTITY = "MLC-PART-0006"
WRONG_ROLE = "MLC-PART-0007"
NO_MAILBOX_PATH = "MLC-PART-0008"
WRONG_CONDITION = "MLC-PART-0009"
WRONG_GUIDE = "MLC-PART-0010"

ROLES: dict[str, tuple[str, ...]] = {
    "810": ("self_bill", "bill_copy", "debit_memo"),
    "850": ("order",),
    "820": ("remittance",),
}
"""The roles each document can play."""

SUBJECTS = {"820": "payment"}
"""What a document is made of, and so what its condition reads, where that is no bill."""

Text = Annotated[str, Meta(min_length=1, max_length=100)]
VendorId = Annotated[str, Meta(min_length=1, max_length=60)]


class _Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping in a partner file: keys that are not named here are findings."""


class Isa(_Form, frozen=True):
    """ISA05/06 or ISA07/08. The id is written without the padding that the standard adds to 15 characters."""

    qualifier: Annotated[str, Meta(min_length=2, max_length=2)]
    id: Annotated[str, Meta(min_length=1, max_length=15)]


class Us(_Form, frozen=True):
    """The sender: what the envelope and the buyer's name segment say. ``name`` and ``id`` are ``gs`` when empty."""

    isa: Isa
    gs: Annotated[str, Meta(min_length=2, max_length=15)]
    name: str = ""
    id: str = ""


class Identity(_Form, frozen=True):
    """The receiver. ``usage`` is ISA15: production or test."""

    isa: Isa
    gs: Annotated[str, Meta(min_length=2, max_length=15)]
    usage: Literal["P", "T"] = "P"


class Rule(_Form, frozen=True):
    """A document to make of each bill (820: payment) for which ``when`` holds; of every one when it is absent."""

    set: Literal["810", "850", "820"]
    role: Literal["self_bill", "bill_copy", "debit_memo", "order", "remittance"]
    when: Expression | None = None

    @property
    def subject(self) -> str:
        """What it is made of: bill or payment."""
        return SUBJECTS.get(self.set, "bill")


def document_rule(set: str, role: str, when: str) -> Rule:
    """A rule from plain texts, for those who keep rules elsewhere. A role left empty is the only one that the set has.

    Raises `ValueError`, whose text is for people.
    """
    if set not in ROLES:
        raise ValueError(f"{set!r} is no set that is sent; there are {', '.join(ROLES)}")
    if (not role and len(ROLES[set]) > 1) or (role and role not in ROLES[set]):
        raise ValueError(f"an {set} needs one of the roles {', '.join(ROLES[set])}, not {role!r}")
    try:
        condition = Expression(when) if when else None
    except FlowError as error:
        raise ValueError(f"the condition {when!r} cannot be read: {error.why or error.what}") from None
    subject = SUBJECTS.get(set, "bill")
    foreign = sorted({root for root, _ in condition.names} - {subject}) if condition else []
    if foreign:
        raise ValueError(f"the condition {when!r} knows only `{subject}`, not `{foreign[0]}`")
    return Rule(set=set, role=role or ROLES[set][0], when=condition)  # type: ignore[arg-type]  # checked above


class Batch(_Form, frozen=True):
    """The most documents per interchange."""

    documents: Annotated[int, Meta(ge=1, le=10_000)] = 50


class Acknowledgement(_Form, frozen=True):
    """What is expected back, within which time, and where it arrives. ``ta1`` asks for the interchange acknowledgement too."""

    expect: Literal["997", "999", "none"] = "997"
    within: Duration = Duration(86_400)
    ta1: bool = False
    mailbox: str = ""


class Defaults(_Form, frozen=True):
    """What a trading partner is given over, or where the books say nothing. An empty text says nothing."""

    given_name: str = ""
    surname: str = ""
    email: str = ""
    phone: str = ""
    address_line1: str = ""
    address_line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: Annotated[str, Meta(pattern="^([A-Z]{2})?$")] = ""
    time_zone: str = ""


class Overrides(Defaults, frozen=True):
    """What the partner's own file says of its trading partner: it wins over the books. ``opt_out`` makes none at all.

    ``formerly`` are codes it had before: one that is there under such a code is taken over, not made again.
    """

    community: str = ""
    opt_out: bool = False
    formerly: tuple[Text, ...] = ()


class Partner(_Form, frozen=True):
    """One partner file, with the defaults merged in. ``partner`` is its code."""

    partner: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,34}$")]
    name: Text
    vendors: Annotated[tuple[VendorId, ...], Meta(min_length=1)]
    us: Us
    identity: Identity
    mailbox: Text
    documents: tuple[Rule, ...] = ()
    batch: Batch = Batch()
    guide: Guide = Guide()
    acknowledgement: Acknowledgement = Acknowledgement()
    amendments: Literal["replace", "hold"] = "replace"
    trading_partner: Overrides = Overrides()

    @property
    def code(self) -> str:
        return self.partner

    @property
    def answers_mailbox(self) -> str:
        """Where the partner's answers arrive: beside its mailbox, ``/RIVERBEND/Outbound`` for ``/RIVERBEND/Inbound``, unless its file says so."""
        parent, _, last = self.mailbox.rpartition("/")
        beside = f"{parent}/Outbound" if parent and last != "Outbound" else f"{self.mailbox}/Outbound"
        return self.acknowledgement.mailbox or beside


class Partners:
    """All partners of a folder, and which of them stands for a vendor. Made by `load_partners`."""

    def __init__(self, files: list[tuple[Partner, _File]]) -> None:
        self.all = tuple(partner for partner, _ in files)
        self._files = {partner.code: file for partner, file in files}
        self._by_vendor = {vendor: partner for partner in self.all for vendor in partner.vendors}

    def for_vendor(self, vendor: str) -> Partner | None:
        """The partner whose file names this vendor, or None: the vendor is not on EDI."""
        return self._by_vendor.get(vendor)

    def place(self, partner: Partner) -> Callable[[str], str]:
        """Where a key of the partner's guide stands: ``guide.units`` -> ``riverbend.yaml:14``, "" for one left at its default."""
        return _guide_places(self._files[partner.code])

    def finding(self, partner: Partner, path: str, message: str, *, code: str) -> Finding:
        """A finding at a path of the partner's file, or of the defaults when the value stands there."""
        return self._files[partner.code].finding(path, message, code=code)


def _guide_places(file: _File) -> Callable[[str], str]:
    def place(key: str) -> str:
        finding = file.finding(f"$.{key}", "", code=WRONG_GUIDE)
        return f"{Path(finding.file).name}:{finding.line}" if file.known(f"$.{key}") else ""

    return place


def partners_folder(setting: str, folder: Path, environment: Mapping[str, str]) -> Path:
    """Where the partner files are: the variable `MLC_PARTNERS` wins; the setting is relative to the flow's folder."""
    return Path(environment[VARIABLE]) if environment.get(VARIABLE) else folder / setting


def required_partners(setting: str, folder: Path, environment: Mapping[str, str]) -> Partners:
    """The partners a stage's setting names. Raises `FlowError` with every finding when there are none to be had."""
    found = partners_folder(setting, folder, environment)
    return required(*load_partners(found), found)


def load_partners(folder: Path) -> tuple[Partners | None, list[Finding]]:
    """The partners of a folder and everything to say about its files; None when any of it is an error."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        message = f"the folder of partner files cannot be read: {error.strerror}"
        return None, [_about(folder, NO_FOLDER, message, "error")]
    trees, findings = _read(paths)
    default = trees.pop(DEFAULT, None)
    files = [_File(tree, default) for tree in trees.values()]
    if not files and not findings:
        findings.append(
            _about(folder, NO_PARTNERS, "no partner files here, so every vendor would be excluded", "error")
        )
    partners = [(file.convert(findings), file) for file in files]
    for partner, file in partners:
        findings += file.checks()
        findings += file.guide_findings(partner) if partner else ()
    findings = list(dict.fromkeys([*findings, *_across(files)]))
    if any(finding.severity == "error" for finding in findings):
        return None, findings
    return Partners([(partner, file) for partner, file in partners if partner]), findings


def _about(folder: Path, code: str, message: str, severity: Literal["error", "note"]) -> Finding:
    return Finding(code=code, file=str(folder), message=message, severity=severity)


def _read(paths: list[Path]) -> tuple[dict[str, Tree], list[Finding]]:
    """The trees of the YAML files by file name; what cannot be read is a finding."""
    trees, findings = {}, []
    for path in paths:
        if path.suffix not in (".yaml", ".yml") or path.name.startswith("."):
            continue
        try:
            trees[path.name] = read_tree(path, lenient=True)
            findings += trees[path.name].findings
        except FlowError as error:
            findings += [finding for finding in error.findings if isinstance(finding, Finding)]
    return trees, findings


class _File:
    """One partner file while it is checked: its own tree, the defaults under it, and the two merged.

    The checks read the merged data as they are, not the converted partner, so that one mistake does not hide another.
    """

    def __init__(self, tree: Tree, default: Tree | None) -> None:
        self.tree = tree
        self.default = default
        self.data = merged(default.data, tree.data) if default else tree.data

    def convert(self, findings: list[Finding]) -> Partner | None:
        partner, found = self.tree.convert("$", Partner, code=NOT_THE_FORM, data=self.data)
        findings += [self._placed(finding) for finding in found]
        return partner

    def finding(self, path: str, message: str, *, code: str, suggestion: str = "") -> Finding:
        return self._placed(self.tree.finding(path, message, code=code, suggestion=suggestion))

    def known(self, path: str) -> bool:
        """Whether the file or the defaults say anything at this path."""
        return self.tree.at(path) is not None or (self.default is not None and self.default.at(path) is not None)

    def text(self, path: str) -> str:
        """The text at this path of the merged data, "" when there is none."""
        value = self.data
        for step in path.removeprefix("$.").split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        return value if isinstance(value, str) else ""

    def items(self, key: str) -> list[Any]:
        value = self.data.get(key) if isinstance(self.data, Mapping) else None
        return value if isinstance(value, list) else []

    def checks(self) -> Iterator[Finding]:
        """What the types alone cannot say about this file."""
        yield from self._mailbox()
        for index, rule in enumerate(self.items("documents")):
            if isinstance(rule, Mapping):
                yield from self._role(index, rule)
                yield from self._condition(index, rule.get("when"), SUBJECTS.get(str(rule.get("set")), "bill"))

    def _mailbox(self) -> Iterator[Finding]:
        for path in ("$.mailbox", "$.acknowledgement.mailbox"):
            mailbox = self.text(path)
            if mailbox and not (mailbox.startswith("/") and "//" not in mailbox and not mailbox.endswith("/")):
                message = f"the mailbox {mailbox!r} is not an absolute path"
                yield self.finding(path, message, code=NO_MAILBOX_PATH, suggestion="write it as in /PARTNER/Inbound")

    def _role(self, index: int, rule: Mapping[str, Any]) -> Iterator[Finding]:
        set_, role = rule.get("set"), rule.get("role")
        if set_ in ROLES and role in {role for roles in ROLES.values() for role in roles} - set(ROLES[str(set_)]):
            message = f"an {set_} cannot play the role {role}"
            hint = f"roles of an {set_}: {', '.join(ROLES[str(set_)])}"
            yield self.finding(f"$.documents[{index}].role", message, code=WRONG_ROLE, suggestion=hint)

    def _condition(self, index: int, when: object, subject: str) -> Iterator[Finding]:
        """A condition that compiles, but reads something else than the document is made of. One that does not compile is found before."""
        try:
            roots = {root for root, _ in Expression(when).names} if isinstance(when, str) else set()
        except FlowError:
            return
        for root in sorted(roots - {subject}):
            message = f"a condition knows only `{subject}`, not `{root}`"
            hint = (
                "write it as in bill.MODULEKEY == '9.PO'"
                if subject == "bill"
                else f"write it as in {subject}.total > 0"
            )
            yield self.finding(f"$.documents[{index}].when", message, code=WRONG_CONDITION, suggestion=hint)

    def guide_findings(self, partner: Partner) -> Iterator[Finding]:
        """What the tables of X12 say about the guide, for each set the partner asks for."""
        for set_ in dict.fromkeys(rule.set for rule in partner.documents):
            for problem in lint_guide(partner.guide, set_):
                yield self.finding(_guide_path(problem), problem, code=WRONG_GUIDE)

    def _placed(self, finding: Finding) -> Finding:
        """The finding, moved to the defaults when the value stands there and not in this file."""
        if self.default is None or self.tree.at(finding.path) is not None or self.default.at(finding.path) is None:
            return finding
        return self.default.finding(
            finding.path, finding.message, code=finding.code, suggestion=finding.suggestion, severity=finding.severity
        )


def _guide_path(problem: str) -> str:
    """Problems of a guide start with the key they are about: ``limits: BIG02 ...``."""
    key = problem.partition(":")[0]
    return f"$.guide.{key}" if key.partition(".")[0] in Guide.__struct_fields__ else "$.guide"


def _across(files: list[_File]) -> Iterator[Finding]:
    """What no single file shows: the second of two that claim the same thing names the first."""
    yield from _vendors_twice(files)
    codes: dict[str, Finding] = {}
    identities: dict[tuple[str, ...], Finding] = {}
    for file in files:
        code, key = file.text("$.partner"), _identity(file)
        here = file.finding("$.partner", "", code=CODE_TWICE)
        if code and (first := codes.setdefault(far_name(code).upper(), here)) is not here:
            message = f"the partner code {code} is taken by {_place(first)}"
            yield msgspec.structs.replace(
                here, message=message, suggestion="codes may not differ in case or punctuation only"
            )
        here = file.finding("$.identity", "", code=SAME_IDENTITY)
        if all(key) and (first := identities.setdefault(key, here)) is not here:
            message = (
                f"same ISA and GS ids, usage and mailbox as {_place(first)}: acknowledgements could not be told apart"
            )
            yield msgspec.structs.replace(here, message=message, suggestion="list the vendors of both in one file")


def _vendors_twice(files: list[_File]) -> Iterator[Finding]:
    seen: dict[str, Finding] = {}
    for file in files:
        for index, vendor in enumerate(file.items("vendors")):
            here = file.finding(f"$.vendors[{index}]", "", code=VENDOR_TWICE)
            if isinstance(vendor, str) and (first := seen.setdefault(vendor, here)) is not here:
                message = f"vendor {vendor} is already in {_place(first)}"
                yield msgspec.structs.replace(here, message=message, suggestion="a vendor has one partner")


def _identity(file: _File) -> tuple[str, ...]:
    usage = file.text("$.identity.usage") or "P"
    keys = ("$.identity.isa.qualifier", "$.identity.isa.id", "$.identity.gs", "$.mailbox")
    return (usage, *(file.text(key) for key in keys))


def _place(finding: Finding) -> str:
    return f"{finding.file}:{finding.line}"


def far_name(code: str) -> str:
    """A code as a name that every system takes: anything but ASCII letters, digits and ``_`` becomes ``_``."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in code)


def required(partners: Partners | None, findings: list[Finding], folder: Path) -> Partners:
    """The partners, for a stage that is being built. Raises `FlowError` with every finding when there are none to be had."""
    if partners is None:
        raise FlowError(
            "The partner files have errors",
            tuple(findings),
            where=str(folder),
            mend="mend them; `ml-connector check` lists them",
            code="MLC-PART-0000",
        )
    return partners
