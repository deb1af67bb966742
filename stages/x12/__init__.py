"""ANSI ASC X12: sets as data, encoding by a partner's guide, reading, checking and showing. Knows no business object.

No input/output, no clock. `stages.x12.writing.draft.Draft` is what ``x12.encode`` takes.
"""

from __future__ import annotations

from pipeline import Adapter
from stages.x12.answering.acknowledgements import ACKNOWLEDGEMENTS, DECODE
from stages.x12.answering.documents import STAGE as DOCUMENTS
from stages.x12.commands import COMMANDS
from stages.x12.showing.show import readable, segment_lines
from stages.x12.writing.excerpt import excerpt
from stages.x12.writing.plan import explain
from stages.x12.writing.stage import ENCODE

ADAPTER = Adapter(
    name="x12",
    stages=(ENCODE, DECODE, DOCUMENTS, ACKNOWLEDGEMENTS),
    commands=COMMANDS,
    readable=readable,
    lines=segment_lines,
    excerpt=excerpt,
    explain=explain,
)
