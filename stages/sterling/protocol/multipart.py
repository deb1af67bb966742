"""The one-call upload: ``multipart/form-data`` for ``POST /messagebatches/``, as the product's own sample client sends it.

Part ``upstream`` is the file and its filename is the message's name; part ``mailboxName`` follows and is the target's path. One
pair per call: which id a call with several files answers is undocumented.
"""

from __future__ import annotations

import hashlib


def batch(name: str, mailbox: str, payload: bytes) -> tuple[str, bytes]:
    """The content type and body. ``name`` and ``mailbox`` are validated (`addresses`). The same input gives the same bytes."""
    boundary = _boundary(payload, mailbox.encode())
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="upstream"; filename="{name}"\r\n'
        "Content-Type: application/edi-x12\r\n\r\n"
    )
    tail = (
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="mailboxName"\r\n\r\n{mailbox}\r\n--{boundary}--\r\n'
    )
    return f"multipart/form-data; boundary={boundary}", head.encode() + payload + tail.encode()


def _boundary(*contents: bytes) -> str:
    """A boundary that is in none of the contents, made from them so that no randomness is needed."""
    candidate = hashlib.sha256(b"\0".join(contents)).hexdigest()[:32]
    while any(candidate.encode() in content for content in contents):
        candidate = hashlib.sha256(candidate.encode()).hexdigest()[:32]
    return candidate
