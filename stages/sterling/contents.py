"""Getting the content of documents: a POST that changes nothing, answered in Base64 or, where a server knows only that, as text."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Literal

from pipeline import TransientError
from stages.sterling.client import SterlingClient
from stages.sterling.protocol import addresses

Form = Literal["base64", "text"]


class NotBase64(Exception):
    """The server gives text where Base64 was expected."""


async def payload(client: SterlingClient, document: str, form: Form, of: str) -> bytes | None:
    """The bytes of a document; None when it has gone. ``of`` is for people. Raises `NotBase64` and `StageError`s."""
    path = f"{addresses.item('documents', document)}/actions/getpayload"
    answer = await client.act(path, f"give the content of {of}", {"isPlainText": "true"} if form == "text" else None)
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
    if form == "text":
        return text.encode()
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NotBase64 from None
