"""Stages without a system behind them: files in, files out. With these a flow runs, and is tested, without any
network.
"""

from pipeline import Adapter
from stages.generic import content, folder, json, lines

ADAPTER = Adapter(name="generic", stages=(lines.STAGE, json.STAGE, content.STAGE, folder.STAGE))

__all__ = ["ADAPTER"]
