"""The Sage Intacct adapter: vendors and AP bills out of the XML gateway. It only reads."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from pipeline import Adapter, ConnectionSpec, Simulation, SimulatorOptions, SimulatorSpec, StageSpec
from stages.intacct.client import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.protocol.query import Query
from stages.intacct.sources import BillsSettings, VendorsSettings, bills_source, vendors_source


async def _check(client: IntacctClient) -> None:
    """Signs in and reads one vendor: every flow reads vendors, so this shows the rights too."""
    await client.sign_in()
    await client.query(Query(object="VENDOR", fields=("RECORDNO",), page_size=1))


def _simulate(options: SimulatorOptions) -> AbstractAsyncContextManager[Simulation]:
    # Imported when asked for: flows must not pay for the simulator, nor the client ever see it.
    from stages.intacct.simulator import start_simulator

    simulation: AbstractAsyncContextManager[Simulation] = start_simulator(options)
    return simulation


ADAPTER = Adapter(
    name="intacct",
    stages=(
        StageSpec(
            name="intacct.bills",
            verb="source",
            build=bills_source,
            config=BillsSettings,
            connection="intacct",
            doc="AP bills of every state with their lines, and what was bought where Purchasing made them.",
        ),
        StageSpec(
            name="intacct.vendors",
            verb="source",
            build=vendors_source,
            config=VendorsSettings,
            connection="intacct",
            doc="Vendors of every status with their contacts.",
        ),
    ),
    connections=(
        ConnectionSpec(
            name="intacct",
            config=IntacctConfig,
            open=open_intacct,
            check=_check,
            doc="One company, or one entity of it, behind the Sage Intacct XML gateway.",
        ),
    ),
    simulator=SimulatorSpec(name="intacct", start=_simulate),
)
