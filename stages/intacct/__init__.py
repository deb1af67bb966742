"""The Sage Intacct adapter: vendors, AP bills, payments, orders, accounts and dimensions out of the XML gateway. It only reads."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from pipeline import Adapter, ConnectionSpec, Simulation, SimulatorOptions, SimulatorSpec, StageSpec
from stages.intacct import rights
from stages.intacct.company import IntacctClient, open_intacct
from stages.intacct.config import IntacctConfig
from stages.intacct.doctor import diagnose_connection
from stages.intacct.masters import AccountsSettings, DimensionsSettings, accounts_source, dimensions_source
from stages.intacct.orders import OrdersSettings, orders_source
from stages.intacct.payments import PaymentsSettings, payments_source
from stages.intacct.protocol.provenance import READ_FROM
from stages.intacct.protocol.query import Query
from stages.intacct.query_source import QuerySettings, query_source
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
            diagnose=rights.bills,
            doc="AP bills of every state with their lines, and what was bought where Purchasing made them.",
        ),
        StageSpec(
            name="intacct.payments",
            verb="source",
            build=payments_source,
            config=PaymentsSettings,
            connection="intacct",
            diagnose=rights.payments,
            doc="AP payments of every state with the bills and credits they settle.",
        ),
        StageSpec(
            name="intacct.orders",
            verb="source",
            build=orders_source,
            config=OrdersSettings,
            connection="intacct",
            diagnose=rights.orders,
            doc="Purchase orders of every state with their lines.",
        ),
        StageSpec(
            name="intacct.accounts",
            verb="source",
            build=accounts_source,
            config=AccountsSettings,
            connection="intacct",
            diagnose=rights.accounts,
            doc="Accounts of the general ledger.",
        ),
        StageSpec(
            name="intacct.dimensions",
            verb="source",
            build=dimensions_source,
            config=DimensionsSettings,
            connection="intacct",
            diagnose=rights.dimensions,
            doc="Departments, locations, classes, projects and items.",
        ),
        StageSpec(
            name="intacct.query",
            verb="source",
            build=query_source,
            config=QuerySettings,
            connection="intacct",
            diagnose=rights.query,
            doc="Any object, with its fields and filter in the flow file.",
        ),
        StageSpec(
            name="intacct.vendors",
            verb="source",
            build=vendors_source,
            config=VendorsSettings,
            connection="intacct",
            diagnose=rights.vendors,
            doc="Vendors of every status with their contacts.",
        ),
    ),
    connections=(
        ConnectionSpec(
            name="intacct",
            config=IntacctConfig,
            open=open_intacct,
            check=_check,
            diagnose=diagnose_connection,
            title=lambda config: f"Intacct ({config.company})",
            doc="One company, or one entity of it, behind the Sage Intacct XML gateway.",
        ),
    ),
    simulator=SimulatorSpec(name="intacct", profiles=("two-endpoints", "one-endpoint"), start=_simulate),
    read_from=READ_FROM,
)
