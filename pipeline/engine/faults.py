"""A stage that raised something it never should: told to people as a fault of that stage, so that its neighbours go on."""

from __future__ import annotations

from pipeline.errors import ConnectorError, DataError


def explained(error: Exception, stage: str, subject: str) -> ConnectorError:
    """The error itself when it explains itself; otherwise a `DataError` that names the stage and the place, not the content."""
    if isinstance(error, ConnectorError):
        return error
    return DataError(
        f"The stage {stage} failed on this record",
        where=f"{subject}, {_place(error)}",
        why=f"{type(error).__name__}: {error}"[:300],
        mend="mend the stage, then replay this record",
        owner="developer",
        code="MLC-STG-0001",
    )


def _place(error: Exception) -> str:
    """The innermost line that was running."""
    trace = error.__traceback__
    if trace is None:
        return "unknown place"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
