"""Stages that a flow brings along: ``examples/flag.py:function``, a file below the flow's folder. Loads their code.

The code that runs is the code that was read: its bytes enter the flow's digest, and no cached bytecode is used or written.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import re
import sys
import traceback
import types
from pathlib import Path
from typing import Any

from pipeline.flow import codes
from pipeline.flow.convert import did_you_mean
from pipeline.stage import StageSpec, Verb

_FORM = re.compile(r"([^:'\"\s]+\.py):([A-Za-z_]\w*)")
MAX_BYTES = 1_048_576


class CustomError(Exception):
    """The component cannot be had. ``code`` is the finding's."""

    def __init__(self, code: str, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.suggestion = suggestion


def is_custom(component: str) -> bool:
    """Whether a component is a path and a name rather than the name of a registered stage."""
    return _FORM.fullmatch(component) is not None


class CustomStages:
    """The code files one flow names, each imported once. ``folder`` is the flow's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modules: dict[Path, types.ModuleType] = {}
        self._code: dict[str, bytes] = {}

    @property
    def code(self) -> dict[str, bytes]:
        """The bytes of each file, by its path below the flow's folder."""
        return dict(sorted(self._code.items()))

    def stage(self, component: str, verb: Verb) -> StageSpec:
        """The named `StageSpec`, or one made of the named function, which can only be a map. Raises `CustomError`."""
        match = _FORM.fullmatch(component)
        assert match is not None
        file, name = match.groups()
        found = self._named(self._module(file), file, name)
        if isinstance(found, StageSpec):
            return found
        if verb != "map":
            raise CustomError(
                codes.NO_FUNCTION, f"`{name}` in {file} is a function, which can only be a map", "name a StageSpec"
            )
        return StageSpec(name=component, verb="map", build=lambda settings, context: found, doc=found.__doc__ or "")

    def _named(self, module: types.ModuleType, file: str, name: str) -> Any:
        known = [each for each, value in vars(module).items() if _usable(value) and not each.startswith("_")]
        found = vars(module).get(name)
        if found is None:
            raise CustomError(codes.NO_FUNCTION, f"{file} has no `{name}`", did_you_mean(name, known))
        if not _usable(found):
            raise CustomError(codes.NO_FUNCTION, f"`{name}` in {file} is neither a function nor a StageSpec")
        return found

    def _module(self, file: str) -> types.ModuleType:
        path = self._path(file)
        if path not in self._modules:
            code = _read(path, file)
            self._code[path.relative_to(self.folder.resolve()).as_posix()] = code
            self._modules[path] = _import(path, file, code)
        return self._modules[path]

    def _path(self, file: str) -> Path:
        folder = self.folder.resolve()
        path = (folder / file).resolve()
        if not path.is_relative_to(folder):
            raise CustomError(codes.NO_FILE, f"{file} lies outside the flow's folder", "move it beside the flow file")
        if not path.is_file():
            raise CustomError(codes.NO_FILE, f"there is no file {file} beside the flow file")
        return path


def _usable(value: Any) -> bool:
    return isinstance(value, StageSpec | types.FunctionType)


def _read(path: Path, file: str) -> bytes:
    try:
        with path.open("rb") as stream:
            code = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise CustomError(codes.NO_FILE, f"{file} cannot be read: {error.strerror}") from None
    if len(code) > MAX_BYTES:
        raise CustomError(codes.NO_FILE, f"{file} is larger than {MAX_BYTES} bytes")
    return code


class _Held(importlib.machinery.SourceFileLoader):
    """Imports the bytes that were read, whatever has become of the file since."""

    def __init__(self, name: str, path: str, code: bytes) -> None:
        super().__init__(name, path)
        self._held = code

    def get_code(self, fullname: str) -> types.CodeType:
        return self.source_to_code(self._held, self.path)


def _import(path: Path, file: str, code: bytes) -> types.ModuleType:
    name = "ml_connector_custom_" + hashlib.sha256(str(path).encode() + b"\0" + code).hexdigest()[:16]
    loader = _Held(name, str(path), code)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses and type hints look their module up by its name; the name is that of these very bytes.
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the code of a flow's author may raise anything while it is imported
        sys.modules.pop(name, None)
        where = _line(error, str(path))
        raise CustomError(
            codes.NO_IMPORT, f"{file}{where} fails: {type(error).__name__}: {_first_line(error)}"
        ) from error
    return module


def _line(error: BaseException, path: str) -> str:
    if isinstance(error, SyntaxError) and error.filename == path:
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f":{lines[-1]}" if lines else ""


def _first_line(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return text.splitlines()[0][:200] if text else "without a message"
