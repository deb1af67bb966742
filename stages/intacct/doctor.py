"""What `doctor` finds out about an Intacct connection, step by step. It reads only."""

from __future__ import annotations

from pipeline import ConnectorError, Context, Diagnosis, Tell
from stages.intacct.client import open_intacct
from stages.intacct.config import IntacctConfig


async def diagnose_connection(config: IntacctConfig, context: Context, tell: Tell) -> bool:
    """Signs in. Whether that worked."""
    async with open_intacct(config, context) as client:
        try:
            await client.sign_in()
        except ConnectorError as error:
            tell(Diagnosis.failed("sign-in", error))
            return False
    tell(Diagnosis.ok("sign-in", f"company {config.company}"))
    return True
