"""ANSI ASC X12: sets as data, encoding by a partner's guide, reading, checking and showing. Knows no business object.

No input/output, no clock. `stages.x12.draft.Draft` is what ``x12.encode`` takes.
"""

from __future__ import annotations

from pipeline import Adapter
from stages.x12.acknowledgements import ACKNOWLEDGEMENTS, DECODE
from stages.x12.commands import COMMANDS
from stages.x12.documents import STAGE as DOCUMENTS
from stages.x12.excerpt import excerpt
from stages.x12.plan import explain
from stages.x12.show import readable, segment_lines
from stages.x12.stages import ENCODE

ADAPTER = Adapter(
    name="x12",
    stages=(ENCODE, DECODE, DOCUMENTS, ACKNOWLEDGEMENTS),
    commands=COMMANDS,
    readable=readable,
    lines=segment_lines,
    excerpt=excerpt,
    explain=explain,
)
