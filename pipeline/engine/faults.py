"""A stage that raised something it never should: told to people as a fault of that stage, so that its neighbours go on."""

from __future__ import annotations

from pipeline.errors import ConnectorError, DataError, EngineFault


class ContractError(Exception):
    """A stage answered what it may not. The text is ours, so it may be told; that of foreign exceptions may hold anything."""


def explained(error: Exception, stage: str, subject: str) -> ConnectorError:
    """The error itself when it explains itself; otherwise a `DataError` that names the stage and the place, not the content."""
    if isinstance(error, ConnectorError):
        return error
    return DataError(
        f"The stage {stage} failed on this record",
        where=f"{subject}, {_place(error)}",
        why=_why(error),
        mend="mend the stage, then replay this record",
        owner="developer",
        code="MLC-STG-0001",
    )


def explained_source(error: Exception, stage: str) -> ConnectorError:
    """As `explained`, for a source that broke while reading: no record is to blame, reading ends."""
    if isinstance(error, ConnectorError):
        return error
    return EngineFault(
        f"The source {stage} failed",
        where=_place(error),
        why=_why(error),
        mend="mend the source, then run again: nothing was lost",
        owner="developer",
        code="MLC-STG-0003",
    )


def broken_off(error: Exception) -> ConnectorError:
    """Why a run broke off: the error itself when it explains itself, otherwise a fault of the engine or of a stage in it."""
    if isinstance(error, ConnectorError):
        return error
    return EngineFault(
        "The run broke off on a fault in the program",
        where=_place(error),
        why=_why(error),
        mend="run again: nothing was lost; with MLC_DEBUG=1 it shows where it happened",
        owner="developer",
        code="MLC-RUN-0010",
    )


def _why(error: Exception) -> str:
    """What was raised. The text of a foreign exception is left out: it could hold a secret or personal data."""
    return str(error) if isinstance(error, ContractError) else f"it raised {type(error).__name__}"


def _place(error: Exception) -> str:
    """The innermost line that was running."""
    trace = error.__traceback__
    if trace is None:
        return "unknown place"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
