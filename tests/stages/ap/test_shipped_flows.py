"""The shipped flow files: they load, and say what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.flow.load import load_flow
from pipeline.flow.model import Flow
from pipeline.registry import Registry
from stages import ap, generic, intacct, sterling, x12

FLOWS = Path(__file__).parents[3] / "flows"
REGISTRY = Registry([ap.ADAPTER, intacct.ADAPTER, sterling.ADAPTER, x12.ADAPTER, generic.ADAPTER])
NEEDED = {
    "INTACCT_SENDER_ID": "acme",
    "INTACCT_SENDER_PASSWORD": "not-a-real-one",
    "INTACCT_COMPANY_ID": "acme",
    "INTACCT_USER_ID": "sync",
    "INTACCT_USER_PASSWORD": "not-a-real-one",
    "STERLING_URL": "https://b2bi.example:5443/B2BAPIs/svc",
}


def _load(name: str, environment: dict[str, str]) -> Flow:
    flow, findings = load_flow(FLOWS / f"{name}.yaml", REGISTRY, environment, live=True)
    assert findings == []
    assert flow is not None
    return flow


@pytest.mark.parametrize("name", ["vendors", "bills", "payments"])
def test_a_shipped_flow_needs_only_the_variables_that_have_no_default(name: str) -> None:
    flow = _load(name, NEEDED)
    assert flow.name == name
    assert flow.about


@pytest.mark.parametrize("name", ["vendors", "bills", "payments"])
@pytest.mark.parametrize("missing", NEEDED)
def test_a_variable_that_is_not_set_is_named(name: str, missing: str) -> None:
    environment = {key: value for key, value in NEEDED.items() if key != missing}
    flow, (finding,) = load_flow(FLOWS / f"{name}.yaml", REGISTRY, environment, live=True)
    assert flow is None
    assert missing in finding.message


def test_every_record_left_out_is_left_out_by_a_named_rule() -> None:
    rules = [
        stage.rule
        for name in ("vendors", "bills", "payments")
        for stage in _load(name, NEEDED).stages
        if stage.verb == "filter"
    ]
    assert rules == ["not active", "not posted", "not paid"]


def test_the_bills_flow_keeps_one_lane_per_partner() -> None:
    sink = _load("bills", NEEDED).stages[-1]
    assert (sink.component, sink.lane, sink.workers) == (
        "sterling.mailbox",
        "partner",
        None,
    )  # as many as the sink says


@pytest.mark.parametrize("name", ["vendors", "bills", "payments"])
def test_findings_about_partner_files_come_with_the_flows(name: str, tmp_path: Path) -> None:
    (tmp_path / "alpha.yaml").write_text("partner: ALPHA\n")
    flow, findings = load_flow(FLOWS / f"{name}.yaml", REGISTRY, NEEDED | {"MLC_PARTNERS": str(tmp_path)}, live=True)
    assert flow is None
    assert {finding.code for finding in findings} == {"MLC-PART-0001"}
    assert {Path(finding.file).name for finding in findings} == {"alpha.yaml"}


def test_accounts_and_dimensions_need_no_sterling() -> None:
    environment = {key: value for key, value in NEEDED.items() if key.startswith("INTACCT_")}
    flow = _load("dimensions", environment)
    assert [stage.component for stage in flow.stages if stage.verb == "source"] == [
        "intacct.accounts",
        "intacct.dimensions",
    ]
