"""Getting the content of documents: a POST that changes nothing, answered in Base64 or, where a server knows only that, as text."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Literal

from pipeline import TransientError
from stages.sterling.apis import SterlingClient
from stages.sterling.client import TooLargeError
from stages.sterling.protocol import addresses

Form = Literal["base64", "text"]


class Unusable(Exception):
    """The content cannot be taken, now or later. Its text says why, for people."""


async def payload(client: SterlingClient, document: str, form: Form, of: str, largest: int) -> bytes | None:
    """The bytes of a document, ``largest`` at most; None when it has gone. ``of`` is for people.

    Raises `Unusable`, which says why, and `StageError`s.
    """
    path = f"{addresses.item('documents', document)}/actions/getpayload"
    query = {"isPlainText": "true"} if form == "text" else None
    try:
        answer = await client.act(path, f"give the content of {of}", query, largest * 2)  # in Base64, or escaped
    except TooLargeError:
        raise Unusable(too_large(largest)) from None
    if answer is None:
        return None
    if not isinstance(answer, Mapping) or not isinstance(answer.get("response"), str):
        raise TransientError(
            f"Sterling's answer holds no content of {of}",
            where=path,
            why="It should be an object with a text `response`.",
            mend="It is asked for again.",
            code="MLC-STL-0332",
        )
    text = str(answer["response"])
    content = text.encode() if form == "text" else _decoded(text)
    if len(content) > largest:
        raise Unusable(too_large(largest))
    return content


def too_large(largest: int, size: int = 0) -> str:
    """Why a content is not read: its size where it is known beforehand."""
    return (
        f"It has {size:,} bytes; {largest:,} are read at most."
        if size
        else f"It has more than the {largest:,} bytes that are read at most."
    )


def _decoded(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("Its content is not Base64; set `content: text` if the server gives text.") from None
