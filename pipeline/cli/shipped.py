"""Where the flows that come with the program are: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

import msgspec

import pipeline
from pipeline.errors import UsageError
from pipeline.flow.model import Flow


def shipped_flows() -> Path:
    """The folder with ``vendors.yaml``, ``bills.yaml`` and ``partners/``."""
    package = Path(pipeline.__file__).parent
    for folder in (package / "shipped" / "flows", package.parent / "flows"):
        if (folder / "bills.yaml").is_file():
            return folder
    raise UsageError(
        "The shipped flows are missing", where=str(package), mend="install ml-connector again", code="MLC-CLI-0002"
    )


def find_flow(text: str) -> Path:
    """A flow by its path, or by its name in ``flows/`` here, or by the name of a shipped one."""
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    for candidate in (Path("flows") / f"{text}.yaml", shipped_flows() / f"{text}.yaml"):
        if candidate.is_file():
            return candidate
    names = sorted(file.stem for file in shipped_flows().glob("*.yaml"))
    raise UsageError(
        f"There is no flow {text!r}", why=f"neither {text} nor flows/{text}.yaml is a file, and the shipped flows are {', '.join(names)}",
        mend="name a flow file", code="MLC-CLI-0003",
    )  # fmt: skip


def flows_here() -> list[Path]:
    """The flow files in ``flows/`` here, or the shipped ones."""
    folder = Path("flows") if Path("flows").is_dir() else shipped_flows()
    return sorted(folder.glob("*.yaml"))


def placed(flow: Flow) -> Flow:
    """The flow, which writes below the working folder when it is a shipped one: nobody's files belong into the program's own folders."""
    if flow.file.resolve().parent == shipped_flows().resolve():
        return msgspec.structs.replace(flow, output=Path.cwd())
    return flow
