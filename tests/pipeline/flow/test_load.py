"""Flow files: what a good one becomes, and everything that is said about a bad one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.flow import codes
from pipeline.flow.expression import Expression
from pipeline.flow.findings import Finding
from pipeline.flow.load import load_flow
from pipeline.flow.model import Flow, Input
from pipeline.registry import Registry
from pipeline.retry import RetryPolicy

Load = Callable[..., tuple[Flow | None, list[Finding]]]

GOOD = """\
flow: bills
version: 1
about: Posted bills become documents.
connections:
  books: { type: books, url: "${env:URL:-http://books}", auth: { user: u, password: "${env:PW}" } }
  b2bi: { type: edi }
defaults: { queue: 64, retry: { times: 3, first: 500ms } }
stages:
  - bills: { source: books.bills, via: books }
  - payable: { filter: "bill.STATE in ('Posted', 'Paid')", rule: not posted }
  - routed: { map: ap.route, with: { partners: partners, strict: true }, queue: 7 }
  - by_kind: { branch: { po: "bill.kind == 'po'", invoice: "bill.kind == 'inv'" }, else: other }
  - { name: documents, encode: x12.encode, from: [by_kind.po, by_kind.invoice] }
  - sent: { sink: edi.mailbox, via: b2bi, workers: 4, lane: partner, retry: { max: 2m } }
  - unrouted: { sink: lists.gone, from: by_kind.other }
"""


@pytest.fixture
def partners(folder: Path) -> None:
    (folder / "partners").mkdir()


def good(load: Load) -> Flow:
    flow, findings = load(GOOD, {"PW": "hush"}, live=True)
    assert findings == []
    assert flow is not None
    return flow


@pytest.mark.usefixtures("partners")
class TestGoodFlow:
    def test_header(self, load: Load) -> None:
        flow = good(load)
        assert (flow.name, flow.version, flow.about) == ("bills", 1, "Posted bills become documents.")
        assert flow.file.name == "flow.yaml"
        assert re.fullmatch("[0-9a-f]{64}", flow.digest)

    def test_edges(self, load: Load) -> None:
        assert {stage.name: stage.inputs for stage in good(load).stages} == {
            "bills": (),
            "payable": (Input("bills"),),
            "routed": (Input("payable"),),
            "by_kind": (Input("routed"),),
            "documents": (Input("by_kind", "po"), Input("by_kind", "invoice")),
            "sent": (Input("documents"),),
            "unrouted": (Input("by_kind", "other"),),
        }

    def test_engine_settings(self, load: Load) -> None:
        flow = good(load)
        assert flow.stage("routed").queue == 7
        assert flow.stage("payable").queue == 64
        assert flow.stage("payable").retry == RetryPolicy(times=3, first=0.5, max=300.0)
        assert flow.stage("sent").retry == RetryPolicy(times=3, first=0.5, max=120.0)
        assert (flow.stage("sent").workers, flow.stage("sent").lane) == (4, "partner")
        assert (flow.stage("unrouted").workers, flow.stage("unrouted").lane) == (None, None)

    def test_components_and_their_settings(self, load: Load) -> None:
        flow = good(load)
        routed = flow.stage("routed")
        assert (routed.settings.partners, routed.settings.strict) == ("partners", True)
        assert routed.spec is not None
        assert routed.spec.name == routed.component == "ap.route"
        assert flow.stage("bills").via == "books"

    def test_filter_and_branch(self, load: Load) -> None:
        flow = good(load)
        payable, branch = flow.stage("payable"), flow.stage("by_kind")
        assert payable.expression == Expression("bill.STATE in ('Posted', 'Paid')")
        assert (payable.spec, payable.rule) == (None, "not posted")
        assert branch.ports == ("po", "invoice", "other")
        assert branch.rule == "by_kind: no case holds"

    def test_connections_keep_their_references(self, load: Load) -> None:
        books, _ = good(load).connections
        assert (books.name, books.type, books.line) == ("books", "books", 5)
        assert books.settings == {"url": "${env:URL:-http://books}", "auth": {"user": "u", "password": "${env:PW}"}}

    def test_lines_are_those_of_the_names(self, load: Load) -> None:
        assert [stage.line for stage in good(load).stages] == [9, 10, 11, 12, 13, 14, 15]

    def test_digest_is_that_of_the_text(self, load: Load) -> None:
        first = good(load).digest
        flow, _ = load(GOOD + "# a remark\n", {"PW": "hush"})
        assert flow is not None
        assert good(load).digest == first != flow.digest


def test_filter_without_a_rule_is_named_after_its_stage(load: Load) -> None:
    flow, _ = load("flow: f\nstages:\n- a: {source: lists.rows}\n- b: {filter: a.x == 1}\n- c: {sink: lists.gone}\n")
    assert flow is not None
    assert flow.stage("b").rule == "b"


def test_registered_filter_is_a_component(load: Load) -> None:
    flow, findings = load(
        "flow: f\nstages:\n- a: {source: lists.rows}\n- b: {filter: ap.wanted}\n- c: {sink: lists.gone}\n"
    )
    assert findings == []
    assert flow is not None
    assert flow.stage("b").expression is None
    assert flow.stage("b").spec is not None


def test_stages_come_in_topological_order(load: Load) -> None:
    text = "flow: f\nstages:\n- c: {sink: lists.gone, from: b}\n- a: {source: lists.rows}\n- b: {map: ap.shape}\n"
    flow, _ = load(text)
    assert flow is not None
    assert [stage.name for stage in flow.stages] == ["a", "b", "c"]


def test_two_stages_may_read_one(load: Load) -> None:
    text = "flow: f\nstages:\n- a: {source: lists.rows}\n- b: {sink: lists.gone}\n- c: {sink: lists.gone, from: a}\n"
    flow, findings = load(text)
    assert findings == []
    assert flow is not None
    assert [stage.name for stage in flow.readers("a")] == ["b", "c"]


BROKEN = """\
flow: bills
version: 1
errors: [ x ]
connections:
  books: { type: books, url: http://x, auth: { user: u, password: hunter2, page: 3 }, pge: 3 }
  other: { type: bokos }
defaults: { queue: 0 }
stages:
  - bills: { source: books.bill, via: boks }
  - payable: { filter: "bill.STATE in (", rulee: not posted }
  - routed: { map: ap.route, with: { partners: 5 }, workers: 3 }
  - by_kind: { branch: { po: "bill.x == 1", invoice: "bill.x ~ 2" }, else: other }
  - documents: { encode: x12.encode, from: [by_kind.po, by_kind.invoce] }
  - documents: { sink: edi.mailbox, from: documents, workers: 400 }
  - x: { mpa: ap.shape, from: by_kind.other }
"""


def test_flow_broken_in_many_ways_reports_each_at_its_place(load: Load) -> None:
    flow, findings = load(BROKEN)
    assert flow is None
    assert [f"{f.file}:{f.line}:{f.column} {f.code}" for f in findings] == [
        f"flow.yaml:3:1 {codes.UNKNOWN_KEY}",
        f"flow.yaml:5:67 {codes.LITERAL_SECRET}",
        f"flow.yaml:5:76 {codes.UNKNOWN_KEY}",
        f"flow.yaml:5:87 {codes.UNKNOWN_KEY}",
        f"flow.yaml:6:18 {codes.UNKNOWN_CONNECTION_TYPE}",
        f"flow.yaml:7:20 {codes.WRONG_VALUE}",
        f"flow.yaml:9:22 {codes.UNKNOWN_COMPONENT}",
        f"flow.yaml:9:39 {codes.UNKNOWN_CONNECTION}",
        f"flow.yaml:10:39 {codes.BAD_EXPRESSION}",
        f"flow.yaml:10:43 {codes.UNKNOWN_KEY}",
        f"flow.yaml:11:48 {codes.WRONG_VALUE}",
        f"flow.yaml:11:53 {codes.MISPLACED_KEY}",
        f"flow.yaml:12:62 {codes.BAD_EXPRESSION}",
        f"flow.yaml:13:57 {codes.UNKNOWN_PORT}",
        f"flow.yaml:14:5 {codes.DUPLICATE_STAGE}",
        f"flow.yaml:14:24 {codes.MISSING_VIA}",
        f"flow.yaml:14:63 {codes.WRONG_VALUE}",
        f"flow.yaml:15:10 {codes.UNKNOWN_VERB}",
    ]
    assert all("hunter2" not in str(finding) for finding in findings)


HEAD = "flow: f\nstages:\n"
SOURCE = "  - rows: { source: lists.rows }\n"
SINK = "  - gone: { sink: lists.gone }\n"
BOOKS = 'connections: { books: { type: books, url: "http://x" } }\n'
ROUTE = "  - routed: { map: ap.route, with: { partners: . } }\n"


def stages(*lines: str) -> str:
    return HEAD + "".join(line if line.endswith("\n") else f"  - {line}\n" for line in lines)


CASES = [
    # the header
    ("a: [x\n", "flow.yaml:1:4: MLC-FLOW-0001 $: this `[` is never closed; a comma or its `]` is missing"),
    ("", "flow.yaml:1:1: MLC-FLOW-0003 $: the file is empty"),
    (stages(SOURCE, SINK) + "flow: g\n", "flow.yaml:5:1: MLC-FLOW-0002 $.flow: `flow` stands here twice; first in line 1"),
    ("[a]", "flow.yaml:1:1: MLC-FLOW-0012 $: a flow file is a mapping that starts with `flow: name`, got a list"),
    (stages(SOURCE, SINK).removeprefix("flow: f\n"), "flow.yaml:1:1: MLC-FLOW-0011 $: the key `flow` is missing"),
    ("flow: f\n", "flow.yaml:1:1: MLC-FLOW-0011 $: the key `stages` is missing"),
    ("flow: f\nstages: []\n", "flow.yaml:2:9: MLC-FLOW-0012 $.stages: expected a list of stages, got nothing"),
    ("flow: f\nstages: x\n", "flow.yaml:2:9: MLC-FLOW-0012 $.stages: expected a list of stages, got the text 'x'"),
    ("flow: 7" + stages(SOURCE, SINK)[7:], 'flow.yaml:1:7: MLC-FLOW-0012 $.flow: expected a text, got the number 7; quote it: "7"'),
    ("flow: a b" + stages(SOURCE, SINK)[7:], "flow.yaml:1:7: MLC-FLOW-0012 $.flow: `a b` cannot be the name of a flow; letters, digits, `_` and `-`, starting with a letter"),
    ("version: 2\n" + stages(SOURCE, SINK), "flow.yaml:1:10: MLC-FLOW-0012 $.version: this program reads version 1 of the form, got the number 2"),
    ("errors: []\n" + stages(SOURCE, SINK), "flow.yaml:1:1: MLC-FLOW-0010 $.errors: `errors` is not a key of this version; known here: flow, version, about, schedule, connections, defaults, stages"),
    ("tests: []\n" + stages(SOURCE, SINK), "flow.yaml:1:1: MLC-FLOW-0010 $.tests: `tests` is not a key of this version; known here: flow, version, about, schedule, connections, defaults, stages"),
    ("abuot: x\n" + stages(SOURCE, SINK), "flow.yaml:1:1: MLC-FLOW-0010 $.abuot: `abuot` is not a key of this version; did you mean `about`?"),
    ("defaults: { queue: 2000000 }\n" + stages(SOURCE, SINK), "flow.yaml:1:20: MLC-FLOW-0012 $.defaults.queue: expected a whole number <= 1000000, got the number 2000000"),
    ("defaults: { times: 3 }\n" + stages(SOURCE, SINK), "flow.yaml:1:13: MLC-FLOW-0010 $.defaults.times: unknown key `times`; it belongs under `retry`"),
    # connections
    ("connections: x\n" + stages(SOURCE, SINK), "flow.yaml:1:14: MLC-FLOW-0012 $.connections: expected a mapping of names to connections, got the text 'x'"),
    ("connections: { a: x }\n" + stages(SOURCE, SINK), "flow.yaml:1:19: MLC-FLOW-0012 $.connections.a: expected a mapping with `type` and settings, got the text 'x'"),
    ("connections: { a: { url: x } }\n" + stages(SOURCE, SINK), "flow.yaml:1:19: MLC-FLOW-0011 $.connections.a: the key `type` is missing; one of books, edi"),
    ("connections: { a: { type: boks } }\n" + stages(SOURCE, SINK), "flow.yaml:1:27: MLC-FLOW-0033 $.connections.a.type: there is no connection type `boks`; did you mean `books`?"),
    ("connections: { a: { type: books } }\n" + stages(SOURCE, SINK), "flow.yaml:1:19: MLC-FLOW-0011 $.connections.a: the key `url` is missing"),
    ('connections: { a: { type: edi, url: "${vault:x}" } }\n' + stages(SOURCE, SINK), "flow.yaml:1:37: MLC-FLOW-0037 $.connections.a.url: `${vault:x}` is no reference; write ${env:NAME}, ${env:NAME:-default} or ${file:/path}"),
    ("connections: { a: { type: books, url: ftp } }\n" + stages(SOURCE, SINK), "flow.yaml:1:19: MLC-FLOW-0012 $.connections.a: url must start with http:// or https://, got 'ftp'"),
    ('connections: { a: { type: books, url: "http://x", auth: { user: u, password: "${env:PW:-hush}" } } }\n' + stages(SOURCE, SINK),
     "flow.yaml:1:78: MLC-FLOW-0036 $.connections.a.auth.password: a secret is written here as the default of a reference; write a reference such as ${env:PW} or ${file:/run/secrets/name}"),
    # the form of a stage
    (stages(SOURCE, "x", SINK), "flow.yaml:4:5: MLC-FLOW-0023 $.stages[1]: expected a stage such as `- name: { verb: component }`, got the text 'x'"),
    (stages(SOURCE, "map: ap.shape", SINK), "flow.yaml:4:5: MLC-FLOW-0023 $.stages[1]: this stage has no name; write `- name: { verb: component }`"),
    (stages(SOURCE, "x: ap.shape", SINK), "flow.yaml:4:8: MLC-FLOW-0023 $.stages[1].x: expected `x: { verb: component }`, got the text 'ap.shape'"),
    (stages(SOURCE, "{ x: { map: ap.shape }, queue: 3 }", SINK), "flow.yaml:4:5: MLC-FLOW-0023 $.stages[1]: a stage is one name with its keys below it; indent the keys below the name further, or begin the next stage with `- `"),
    (stages(SOURCE, "a.b: { map: ap.shape }", SINK), "flow.yaml:4:5: MLC-FLOW-0023 $.stages[1].a.b: `a.b` cannot be the name of a stage; letters, digits, `_` and `-`, starting with a letter"),
    (stages(SOURCE, "{ name: 7, map: ap.shape }", SINK), "flow.yaml:4:13: MLC-FLOW-0023 $.stages[1].name: `7` cannot be the name of a stage; letters, digits, `_` and `-`, starting with a letter"),
    (stages(SOURCE, "rows: { sink: lists.gone }"), "flow.yaml:4:5: MLC-FLOW-0024 $.stages[1].rows: the stage name `rows` is taken, in line 3; give it another"),
    (stages(SOURCE, "x: { queue: 3 }", SINK), "flow.yaml:4:5: MLC-FLOW-0020 $.stages[1].x: the stage `x` has no verb; give it one of source, map, filter, branch, encode, sink"),
    (stages(SOURCE, "x: { mpa: ap.shape }", SINK), "flow.yaml:4:10: MLC-FLOW-0022 $.stages[1].x.mpa: `mpa` is no verb; did you mean `map`?"),
    (stages(SOURCE, "x: { transmogrify: ap.shape }", SINK), "flow.yaml:4:10: MLC-FLOW-0022 $.stages[1].x.transmogrify: `transmogrify` is no verb; one of source, map, filter, branch, encode, sink"),
    (stages(SOURCE, "x: { cases: { a: b } }", SINK), "flow.yaml:4:10: MLC-FLOW-0022 $.stages[1].x.cases: `cases` is no verb; write `branch:` with the cases below it"),
    (stages(SOURCE, "x: { map: ap.shape, encode: x12.encode }", SINK), "flow.yaml:4:25: MLC-FLOW-0021 $.stages[1].x.encode: a stage has one verb; this has map and encode; make two stages of it"),
    # components
    (stages(SOURCE, "x: { map: ap.shap }", SINK), "flow.yaml:4:15: MLC-FLOW-0025 $.stages[1].x.map: there is no component `ap.shap`; did you mean `ap.shape`?"),
    (stages(SOURCE, "x: { decode: zz.zzzzz }", SINK), "flow.yaml:4:10: MLC-FLOW-0022 $.stages[1].x.decode: `decode` is no verb; did you mean `encode`?"),
    (stages(SOURCE, "x: { encode: zz.zzzzz }", SINK), "flow.yaml:4:18: MLC-FLOW-0025 $.stages[1].x.encode: there is no component `zz.zzzzz`; there are x12.encode"),
    (stages(SOURCE, "x: { map: x12.encode }", SINK), "flow.yaml:4:15: MLC-FLOW-0026 $.stages[1].x.map: `x12.encode` is not for `map`; write `encode: x12.encode`"),
    (stages(SOURCE, "x: { map: 7 }", SINK), "flow.yaml:4:15: MLC-FLOW-0012 $.stages[1].x.map: expected the name of a component, got the number 7"),
    (stages(SOURCE, "x: { map: ap.shape, with: { a: 1 } }", SINK), "flow.yaml:4:25: MLC-FLOW-0027 $.stages[1].x.with: `ap.shape` takes no settings; leave `with` out"),
    (stages(SOURCE, "x: { map: ap.route }", SINK), "flow.yaml:4:8: MLC-FLOW-0011 $.stages[1].x.with: the key `partners` is missing"),
    (stages(SOURCE, "x: { map: ap.route, partners: . }", SINK), "flow.yaml:4:25: MLC-FLOW-0013 $.stages[1].x.partners: `partners` is a setting of `ap.route`; put it under `with`"),
    (stages(SOURCE, "x: { map: ap.route, with: { partners: ., strct: true } }", SINK), "flow.yaml:4:46: MLC-FLOW-0010 $.stages[1].x.with.strct: unknown key `strct`; did you mean `strict`?"),
    (stages(SOURCE, "x: { map: ap.route, with: { partners: nix } }", SINK), ".:1:1: MLC-AP-0001 $: there is no nix"),
    # keys beside the verb
    (stages(SOURCE, "x: { map: ap.shape, quue: 3 }", SINK), "flow.yaml:4:25: MLC-FLOW-0010 $.stages[1].x.quue: unknown key `quue`; did you mean `queue`?"),
    (stages(SOURCE, "x: { map: ap.shape, batch: 3 }", SINK), "flow.yaml:4:25: MLC-FLOW-0010 $.stages[1].x.batch: unknown key `batch`; known beside `map`: from, queue, via, with, retry"),
    (stages(SOURCE, "x: { map: ap.shape, lane: partner }", SINK), "flow.yaml:4:25: MLC-FLOW-0013 $.stages[1].x.lane: `lane` means nothing for `map`; it is for `sink`"),
    (stages(SOURCE, "x: { filter: a.b == 1, with: { a: 1 } }", SINK), "flow.yaml:4:28: MLC-FLOW-0013 $.stages[1].x.with: `with` means nothing for `filter`; it is for `source`, `map`, `filter`, `encode`, `sink`"),
    (stages(SOURCE, "x: { map: ap.shape, queue: 0 }", SINK), "flow.yaml:4:32: MLC-FLOW-0012 $.stages[1].x.queue: expected a whole number >= 1, got the number 0"),
    (stages(SOURCE, "x: { sink: lists.gone, workers: 65 }"), "flow.yaml:4:37: MLC-FLOW-0012 $.stages[1].x.workers: expected a whole number <= 64, got the number 65"),
    (stages(SOURCE, "x: { sink: lists.gone, lane: partne }"), "flow.yaml:4:34: MLC-FLOW-0012 $.stages[1].x.lane: expected one of partner, address, got the text 'partne'; did you mean `partner`?"),
    (stages(SOURCE, "x: { sink: lists.gone, retry: { first: 5 } }"), "flow.yaml:4:44: MLC-FLOW-0012 $.stages[1].x.retry.first: expected a duration such as 30s, 5m or 2d, got the number 5"),
    # connections of stages
    (stages("x: { source: books.bills }", SINK), "flow.yaml:3:18: MLC-FLOW-0031 $.stages[0].x.source: `books.bills` needs a connection of type `books`; declare one of type `books` under `connections`"),
    (BOOKS + stages("x: { source: books.bills }", SINK), "flow.yaml:4:18: MLC-FLOW-0031 $.stages[0].x.source: `books.bills` needs a connection of type `books`; write `via: books`"),
    (BOOKS + stages("x: { source: books.bills, via: boks }", SINK), "flow.yaml:4:36: MLC-FLOW-0030 $.stages[0].x.via: there is no connection `boks`; did you mean `books`?"),
    (BOOKS + stages(SOURCE, "x: { sink: edi.mailbox, via: books }"), "flow.yaml:5:34: MLC-FLOW-0032 $.stages[1].x.via: `edi.mailbox` needs a connection of type `edi`; `books` is of type `books`"),
    (BOOKS + stages("x: { source: lists.rows, via: books }", SINK), "flow.yaml:4:30: MLC-FLOW-0034 $.stages[0].x.via: `lists.rows` uses no connection; leave `via` out"),
    (BOOKS + stages("x: { source: books.bills, via: 7 }", SINK), "flow.yaml:4:36: MLC-FLOW-0012 $.stages[0].x.via: expected the name of a connection, got the number 7"),
    # edges
    (stages(SOURCE, "x: { sink: lists.gone, from: rwos }"), "flow.yaml:4:34: MLC-FLOW-0040 $.stages[1].x.from: there is no stage `rwos`; did you mean `rows`?"),
    (stages(SOURCE, "x: { sink: lists.gone, from: rows.a }"), "flow.yaml:4:34: MLC-FLOW-0041 $.stages[1].x.from: `rows` is no branch and has no port `a`; write `rows`"),
    (stages(SOURCE, "b: { branch: { p: a.x == 1 } }", "x: { sink: lists.gone, from: b }"), "flow.yaml:5:34: MLC-FLOW-0041 $.stages[2].x.from: `b` is a branch; name one of its ports; one of b.p"),
    (stages(SOURCE, "b: { branch: { po: a.x == 1 } }", "x: { sink: lists.gone, from: b.p }"), "flow.yaml:5:34: MLC-FLOW-0041 $.stages[2].x.from: the branch `b` has no port `p`; did you mean `po`?"),
    (stages(SOURCE, "x: { sink: lists.gone, from: [rows, rows] }"), "flow.yaml:4:41: MLC-FLOW-0012 $.stages[1].x.from[1]: `rows` is listed twice"),
    (stages(SOURCE, "x: { map: ap.shape, from: y }", "y: { map: ap.shape, from: [x, rows] }", "z: { sink: lists.gone }"),
     "flow.yaml:4:31: MLC-FLOW-0042 $.stages[1].x.from: the stages read each other in a circle: x -> y -> x"),
    (stages(SOURCE, "x: { map: ap.shape, from: [x, rows] }", SINK), "flow.yaml:4:31: MLC-FLOW-0042 $.stages[1].x.from: the stages read each other in a circle: x -> x"),
    (stages("x: { map: ap.shape }", "rows: { source: lists.rows }", "y: { sink: lists.gone, from: [rows, x] }"), "flow.yaml:3:5: MLC-FLOW-0043 $.stages[0].x: the first stage reads nothing; it must be a source, not a map"),
    (stages(SOURCE, SINK, "x: { source: lists.rows, from: rows }", "y: { sink: lists.gone }"), "flow.yaml:5:30: MLC-FLOW-0044 $.stages[2].x.from: a source reads nothing from other stages; leave `from` out"),
    (stages(SOURCE, SINK, "x: { map: ap.shape, from: rows }"), "flow.yaml:5:5: MLC-FLOW-0045 $.stages[2].x: nobody reads the output of `x`; end with a sink"),
    (stages(SOURCE, "b: { branch: { p: a.x == 1, q: a.x == 2 } }", "x: { sink: lists.gone, from: b.p }"), "flow.yaml:4:33: MLC-FLOW-0045 $.stages[1].b.branch.q: nobody reads the port `b.q`; add a stage with `from: b.q`"),
    (stages(SOURCE, "b: { branch: { p: a.x == 1 }, else: q }", "x: { sink: lists.gone, from: b.p }"), "flow.yaml:4:41: MLC-FLOW-0045 $.stages[1].b.else: nobody reads the port `b.q`; add a stage with `from: b.q`"),
    (stages(SOURCE, SINK, "x: { sink: lists.gone }"), "flow.yaml:5:5: MLC-FLOW-0046 $.stages[2].x: the stage above is the sink `gone`, which puts nothing out; say with `from` what this stage reads"),
    (stages(SOURCE, SINK, "x: { sink: lists.gone, from: gone }"), "flow.yaml:5:34: MLC-FLOW-0046 $.stages[2].x.from: `gone` is a sink, which puts nothing out"),
    (stages(SOURCE, "b: { branch: { p: a.x == 1 } }", SINK, "x: { sink: lists.gone, from: b.p }"), "flow.yaml:5:5: MLC-FLOW-0049 $.stages[2].gone: the stage above is the branch `b`, so this stage must say with `from` what it reads; one of b.p"),
    # schedule
    ("flow: f\nschedule: { every: soon }\n" + stages(SOURCE, SINK).partition("\n")[2], "flow.yaml:2:20: MLC-FLOW-0012 $.schedule.every: 'soon' is not a duration; write a number and a unit: 500ms, 30s, 5m, 24h, 2d"),
    ("flow: f\nschedule: { every: 0s }\n" + stages(SOURCE, SINK).partition("\n")[2], "flow.yaml:2:20: MLC-FLOW-0012 $.schedule.every: a flow cannot run again after no time"),
    ("flow: f\nschedule: 5m\n" + stages(SOURCE, SINK).partition("\n")[2], "flow.yaml:2:11: MLC-FLOW-0012 $.schedule: expected a mapping with the keys every, got the text '5m'"),
    ("flow: f\nschedule: { every: 5m, cron: x }\n" + stages(SOURCE, SINK).partition("\n")[2], "flow.yaml:2:24: MLC-FLOW-0010 $.schedule.cron: unknown key `cron`; known here: every"),
    # expressions
    (stages(SOURCE, 'x: { filter: "a.x ==" }', SINK), "flow.yaml:4:25: MLC-FLOW-0050 $.stages[1].x.filter: this is not an expression: invalid syntax"),
    (stages(SOURCE, "x: { filter: a.x == open(1) }", SINK), "flow.yaml:4:25: MLC-FLOW-0050 $.stages[1].x.filter: open is no function here; there are len, lower, upper, startswith, endswith, abs, round, date, coalesce"),
    (stages(SOURCE, "x: { filter: true }", SINK), "flow.yaml:4:18: MLC-FLOW-0012 $.stages[1].x.filter: expected an expression, got true"),
    (stages(SOURCE, "b: { branch: { p: true } }", "x: { sink: lists.gone, from: b.p }"), "flow.yaml:4:23: MLC-FLOW-0012 $.stages[1].b.branch.p: expected an expression, got true"),
    (stages(SOURCE, "b: { branch: { p: a.x == 1 }, else: p }", "x: { sink: lists.gone, from: b.p }"), "flow.yaml:4:41: MLC-FLOW-0012 $.stages[1].b.else: `p` is already a case of this branch"),
    (stages(SOURCE, "b: { branch: { p: a.x == 1, 8: a.x == 2 } }", "x: { sink: lists.gone, from: [b.p, b.8] }"), "flow.yaml:4:33: MLC-FLOW-0012 $.stages[1].b.branch.8: `8` cannot be the name of a port; letters, digits, `_` and `-`, starting with a letter"),
]  # fmt: skip


def test_a_key_that_stands_twice_does_not_hide_the_other_findings(load: Load) -> None:
    _, findings = load(stages(SOURCE, "x: { map: ap.shpe }", SINK) + "flow: g\nflwo: h\n")
    assert [each.code for each in findings] == ["MLC-FLOW-0025", "MLC-FLOW-0002", "MLC-FLOW-0010"]


@pytest.mark.parametrize(("text", "finding"), CASES, ids=[str(n) for n in range(len(CASES))])
def test_one_mistake_is_one_finding(load: Load, text: str, finding: str) -> None:
    flow, findings = load(text)
    assert flow is None
    assert [str(each) for each in findings] == [finding]


def test_flow_without_source_and_sink_says_both(load: Load) -> None:
    _, findings = load("flow: f\nstages:\n  - x: { map: ap.shape, from: y }\n  - y: { map: ap.shape, from: x }\n")
    assert [str(each) for each in findings] == [
        "flow.yaml:2:1: MLC-FLOW-0047 $.stages: the flow has no source",
        "flow.yaml:2:1: MLC-FLOW-0048 $.stages: the flow has no sink",
        "flow.yaml:3:31: MLC-FLOW-0042 $.stages[0].x.from: the stages read each other in a circle: x -> y -> x",
    ]


def test_empty_branch_is_refused(load: Load) -> None:
    _, findings = load(stages(SOURCE, "b: { branch: {} }"))
    assert "flow.yaml:4:18: MLC-FLOW-0012 $.stages[1].b.branch: a branch needs at least one case" in map(str, findings)


NOTES = [
    ('connections: { a: { type: edi, url: "${env:NIX}" } }\n' + stages(SOURCE, SINK), "flow.yaml:1:37: MLC-FLOW-0035 $.connections.a.url: the environment variable NIX is not set"),
    ('connections: { a: { type: books, url: "${env:NIX}" } }\n' + stages(SOURCE, SINK), "flow.yaml:1:39: MLC-FLOW-0035 $.connections.a.url: the environment variable NIX is not set"),
    ('connections: { a: { type: books, url: "http://x", page: "${env:NIX}" } }\n' + stages(SOURCE, SINK), "flow.yaml:1:57: MLC-FLOW-0035 $.connections.a.page: the environment variable NIX is not set"),
    (stages(SOURCE, 'x: { map: ap.route, with: { partners: "${env:NIX}" } }', SINK), "flow.yaml:4:43: MLC-FLOW-0035 $.stages[1].x.with.partners: the environment variable NIX is not set"),
    (stages(SOURCE, 'x: { map: ap.route, with: { partners: "${file:nix}" } }', SINK), "flow.yaml:4:43: MLC-FLOW-0035 $.stages[1].x.with.partners: the file nix cannot be read: No such file or directory"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "finding"), NOTES)
def test_unset_reference_is_a_note_before_the_run(load: Load, text: str, finding: str) -> None:
    flow, findings = load(text, {"NIX": ""})
    assert flow is not None
    assert [(str(each), each.severity) for each in findings] == [(finding, "note")]


@pytest.mark.parametrize(("text", "finding"), NOTES)
def test_unset_reference_stops_a_live_check(load: Load, text: str, finding: str) -> None:
    flow, findings = load(text, live=True)
    assert flow is None
    assert [(str(each), each.severity) for each in findings] == [(finding, "error")]


def test_references_in_settings_are_resolved(load: Load, folder: Path) -> None:
    (folder / "there").mkdir()
    text = stages(SOURCE, 'x: { map: ap.route, with: { partners: "${env:P:-nix}", strict: "${env:S}" } }', SINK)
    flow, findings = load(text, {"P": "there", "S": "true"})
    assert findings == []
    assert flow is not None
    assert (flow.stage("x").settings.partners, flow.stage("x").settings.strict) == ("there", True)


def test_sink_that_cannot_look_up_is_noted(load: Load) -> None:
    flow, findings = load(stages(SOURCE, "x: { sink: lists.file }"))
    assert flow is not None
    message = "`lists.file` cannot look up what it sent: a delivery may take effect more than once"
    assert [(each.code, each.severity, each.message) for each in findings] == [("MLC-FLOW-0070", "note", message)]


def test_missing_file_is_a_finding(folder: Path, registry: Registry) -> None:
    flow, findings = load_flow(folder / "nix.yaml", registry, {})
    assert flow is None
    assert [str(f) for f in findings] == [
        "nix.yaml:1:1: MLC-FLOW-0004 $: the file cannot be read: No such file or directory"
    ]


def test_endless_stage_list_is_refused(load: Load) -> None:
    _, findings = load(stages(*["x: { map: ap.shape }"] * 501))
    assert [finding.code for finding in findings] == [codes.TOO_LARGE]


def test_every_code_has_one_meaning() -> None:
    named = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)}
    assert named == set(codes.MEANINGS)
    assert len(set(codes.MEANINGS.values())) == len(codes.MEANINGS)


WORDS = st.sampled_from(
    ["flow", "stages", "connections", "x", "books.bills", "source", "map", "filter", "branch", "sink", "from", "with", "via", "else",
     "name", "type", "queue", "retry", "rule", "lane", "a.b == 1", "${env:X}", 1, True, None, "", "lists.rows", "lists.gone", "./a.py:b"]
)  # fmt: skip
DATA = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS.map(str), inner, max_size=4), max_leaves=20
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(DATA, max_size=5), DATA, DATA)
def test_whatever_the_shape_there_are_findings_and_no_crash(
    load: Load, entries: list[object], a: object, b: object
) -> None:
    import json

    flow, findings = load(json.dumps({"flow": "f", "stages": entries, "connections": a, "defaults": b}))
    assert (flow is None) == any(finding.severity == "error" for finding in findings)
