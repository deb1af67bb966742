"""``multipart/form-data`` read by hand, as plainly as an old servlet library does: no ``filename*``, no transfer encodings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.sterling.simulator.wire import ApiError, ContainerError, media_type

MAX_PARTS = 2_000
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([A-Za-z]+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Part:
    """One part; ``filename`` is None where none was given, which differs from an empty one."""

    name: str
    filename: str | None
    content: bytes


def read_parts(body: bytes, content_type: str) -> list[Part]:
    """The parts in order. ContainerError 415 for any other media type, ApiError 400 for a body that breaks the format."""
    if media_type(content_type) != "multipart/form-data":
        raise ContainerError(415, "this collection consumes multipart/form-data")
    found = _BOUNDARY.search(content_type)
    if not found:
        raise ApiError(400, "The multipart boundary is missing")
    boundary = b"--" + (found[1] or found[2]).encode("latin-1")
    return [_read_part(chunk) for chunk in _split(body, boundary)]


def _split(body: bytes, boundary: bytes) -> list[bytes]:
    """What lies between the delimiter lines. The first may open the body; all others follow a line break."""
    body = b"\r\n" + body
    delimiter = re.compile(rb"\r\n" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r\n|\Z)")
    chunks: list[bytes] = []
    start = -1
    for found in delimiter.finditer(body):
        if start >= 0:
            chunks.append(body[start : found.start()])
        if found[1]:
            return chunks
        start = found.end()
        if len(chunks) > MAX_PARTS:
            raise ApiError(400, "The multipart body has too many parts")
    raise ApiError(400, "The multipart body has no closing boundary")


def _read_part(chunk: bytes) -> Part:
    head, separator, content = chunk[2:].partition(b"\r\n\r\n")
    if not separator:
        raise ApiError(400, "A part has no empty line between its headers and its content")
    for line in head.decode("utf-8", "replace").split("\r\n"):
        label, _, value = line.partition(":")
        if label.strip().lower() == "content-disposition":
            parameters = {name.lower(): text.replace('\\"', '"') for name, text in _PARAMETER.findall(value)}
            if "name" in parameters:
                return Part(parameters["name"], parameters.get("filename"), content)
    raise ApiError(400, "A part has no Content-Disposition with a name")
