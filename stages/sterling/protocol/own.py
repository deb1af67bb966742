"""What of the messages in a mailbox is our own. No partner keeps to rules for names, so that a name alone never tells.

A partner may name an answer after the file that it answers, or quote that file in front of it, and a server may give names back in capitals. Three things
tell: the sender that an interchange names when it is all there is in the message, a name that holds the digest of the very content, as those we give do, and where neither says anything, caution.
"""

from __future__ import annotations

import re

import msgspec

from stages.sterling.protocol.content import format_of, is_one_interchange, sender_of

Sender = tuple[str, str]
"""Qualifier and id (ISA05 and ISA06), without padding."""

DELIVERED = "delivered by us"
"""The rule that leaves out of a mailbox what we put there."""


class Own(msgspec.Struct, frozen=True):
    """How our own messages are told: the connection's ``prefix`` of names, and the ``senders`` that we are, where these are known."""

    prefix: str
    senders: frozenset[Sender] = frozenset()

    def tells(self, name: str, content: bytes, digest: str) -> str:
        """Why this message is ours, for people; empty when it is not, or when nothing tells."""
        sender = sender_of(content)
        if sender in self.senders and is_one_interchange(content):
            return f"its sender is {':'.join(sender)}, which is us"
        if self._digest_in(name) == digest[:12]:
            return "its name holds the digest of its content, as those that we give do"
        return ""

    def doubts(self, name: str, content: bytes) -> bool:
        """Whether what does not tell that it is ours may be ours still: its whole name has our form, and its content names nobody else."""
        if not self._digest_in(name):
            return False
        return not self.senders or format_of(content) != "x12" or not any(sender_of(content))

    def _digest_in(self, name: str) -> str:
        """The part of a digest that a name of our form ends in; empty for any other. Source: pipeline.engine.sealing."""
        form = rf"{re.escape(self.prefix)}_[a-z0-9-]{{1,40}}_\d{{9,}}_([0-9a-f]{{12}})\.edi"
        found = re.fullmatch(form, name, re.IGNORECASE)
        return found[1].casefold() if found else ""
