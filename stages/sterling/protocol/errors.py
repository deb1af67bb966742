"""What an answer means: the one table from (status, whose body, text) to the engine's failure classes.

Nearly every business failure is a 400 whose meaning is in its text. Only the server's own JSON error is a definite answer:
a 4xx page may come from a proxy that lost or replaced the real answer, so after a write it leaves the outcome unknown.
"""

from __future__ import annotations

import html
from datetime import datetime
from urllib.parse import quote, quote_plus

import msgspec

from pipeline import (
    ConfigError,
    PermissionDenied,
    RefusedError,
    Secret,
    SignInRefused,
    StageError,
    ThrottledError,
    TransientError,
)
from stages.sterling.protocol.answer import Answer, api_codes, own_error, plain_text, retry_after_seconds
from stages.sterling.protocol.known import known


class ExistsError(TransientError):
    """The far side says it has one of that name. It may be ours, from an attempt whose answer was lost: look before judging."""


class NotFoundError(RefusedError):
    """The far side itself says that what the request names is not there."""


class NotOfferedError(RefusedError):
    """The far side itself says that it has no such operation (405)."""


class ForeignError(TransientError):
    """A 4xx without the server's own error object: perhaps a proxy's, so it says nothing about the effect of a write."""

    def __init__(self, what: str, *, status: int, **parts: str) -> None:
        super().__init__(what, **parts)  # type: ignore[arg-type]
        self.status = status


class NotSentError(ThrottledError):
    """Nothing was sent: no connection could be made, or no token was to be had. So nothing can be in doubt."""


def lacks_collection(error: StageError) -> bool:
    """Whether the error says that this level of the server, or the gateway in front of it, has no such collection."""
    return isinstance(error, NotOfferedError) or (isinstance(error, ForeignError) and error.status in (404, 405))


def no_sterling(url: str, error: ForeignError) -> ConfigError:
    """Nothing that every Sterling has answers as Sterling does: the address is wrong, or was never tried before."""
    return ConfigError(
        "There is no Sterling at the connection's url",
        where=f"url: {url}",
        why=f"HTTP {error.status} and some page, or nothing, for every collection that each Sterling has.",
        mend="Set `url` (in the shipped flows STERLING_URL) to the whole prefix that ends with /B2BAPIs/svc, with what a gateway puts in front. "
        "If it has worked before, the gateway may be down: run again later.",
        code="MLC-STL-0113",
    )


def not_passed(path: str, doing: str, error: ForeignError) -> ConfigError:
    """Sterling answers, and something in between has nothing at this path, again and again."""
    return ConfigError(
        f"Something in front of Sterling does not pass on what is needed to {doing}",
        where=f"POST {path} below the connection's url",
        why=f"HTTP {error.status} without Sterling's own error text, while Sterling itself answers other calls.",
        mend="Let the gateway pass on GET, POST, PUT and DELETE of everything below `url`; docs/reference/connections.md lists the calls.",
        code="MLC-STL-0114",
    )


def says_not_there(error: ForeignError) -> bool:
    """Whether it is the status that Sterling answers with for what is not there or not listed, whose body may be a page or empty."""
    return error.status in (204, 404)


def is_without_rows(error: StageError) -> bool:
    """Whether it is a 204 to a list."""
    return isinstance(error, ForeignError) and error.status == 204


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, for judging its answer. ``doing`` completes the sentence "Sterling refused to …"."""

    doing: str
    where: str
    writes: bool = False
    oauth: bool = False
    secrets: tuple[Secret, ...] = ()
    largest: int = 0  # bytes of its answer that are read; 0: as the client does of all
    unread: bool = False  # of a success only the status counts

    def scrub(self, text: str) -> str:
        """The text without any secret that the far side may have echoed, plainly or in a URL's or page's spelling.

        Scrub what came, before it is cut or tidied up: half a secret would not be recognised.
        """
        known = {spelling for secret in self.secrets if secret for spelling in _spellings(secret.reveal())}
        for spelling in sorted(known, key=len, reverse=True):
            text = text.replace(spelling, "***")
        return text


def _spellings(secret: str) -> tuple[str, ...]:
    return secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret)


def judge(answer: Answer, call: Call, now: datetime) -> StageError | None:
    """The error this answer is, or None when it is a success (2xx). Pure; ``now`` only reads a Retry-After date."""
    status = answer.status
    if answer.ok:
        return None
    if 300 <= status < 400:
        return _redirected(call, status)
    if status == 401:
        return sign_in_refused(call)
    if status == 407:
        return _wants_proxy_sign_in(call)
    pause = retry_after_seconds(answer.retry_after, now)
    if status == 429:
        return _throttled(answer, call, pause)
    if answer.lacking_scope is not None:
        return _scope_lacking(call, plain_text(call.scrub(answer.lacking_scope)))
    if status < 300 or status >= 500 or status in (408, 425):
        return _passing(answer, call, pause)
    text = own_error(answer.body)
    return _foreign(call, status) if text is None else _own(call, status, plain_text(call.scrub(text)))


def unreadable(call: Call, reason: str) -> TransientError:
    """A success status with a body that cannot be read: a read is repeated; a write has an unknown outcome."""
    return TransientError(
        f"Sterling's answer could not be read when asked to {call.doing}",
        where=call.where,
        why=reason,
        mend="If it repeats, look for a proxy or sign-on page between here and Sterling, and check the connection's url.",
        code="MLC-STL-0502",
    )


def no_content(call: Call) -> ForeignError:
    """A 204 to a list: it may be empty, or something in between answers in Sterling's place."""
    return ForeignError(
        f"Sterling's answer could not be read when asked to {call.doing}",
        where=call.where,
        why="HTTP 204, without any rows, and nothing shows that this is how Sterling says that there are none.",
        mend="If it repeats, look for a proxy or gateway between here and Sterling that answers in its place.",
        code="MLC-STL-0502",
        status=204,
    )


def sign_in_refused(call: Call) -> SignInRefused:
    """A 401 that is the sign-in's own. To a token: to one that was fetched a moment ago."""
    if call.oauth:
        return SignInRefused(
            "Sterling does not accept the tokens of the token server",
            where=call.where,
            why="A token fetched a moment ago was refused with HTTP 401.",
            mend="Check oauth2's scope and token_url, and that the gateway lets this client use the B2B APIs.",
            code="MLC-STL-0401",
        )
    return SignInRefused(
        "Sterling did not accept the sign-in",
        where=call.where,
        why="HTTP 401: the user or its secret is wrong, expired or locked. This run asks nothing more, since many refusals lock a user.",
        mend="Check the connection's `auth` settings and sign in once by hand with the same account.",
        code="MLC-STL-0401",
    )


def token_refused_here(call: Call) -> ConfigError:
    """A token that other calls are accepted with is refused to this one."""
    return ConfigError(
        f"The gateway refuses the token when Sterling is asked to {call.doing}",
        where=call.where,
        why="HTTP 401 to this call only, with a token fetched a moment ago.",
        mend="Check oauth2's scope, and that the gateway lets this client make the call.",
        code="MLC-STL-0401",
    )


def odd_refusal(call: Call) -> TransientError:
    """A 401 that is not the sign-in's own, so that the outcome of a write is unknown.

    To a password: the same sign-in is accepted a moment later. To a token: no challenge says that it went no further.
    """
    doubt = ", and the write may have been carried out" if call.writes else ""
    return TransientError(
        f"The sign-in was refused when Sterling was asked to {call.doing}{doubt}",
        where=call.where,
        why="HTTP 401 without the challenge of a gateway that checks tokens, so it may have come after the effect."
        if call.oauth
        else "HTTP 401 to this call only: the same sign-in was accepted a moment later.",
        mend="It is looked up and tried again. If it repeats, ask about the directory server and gateways in between.",
        code="MLC-STL-0499",
    )


def _own(call: Call, status: int, text: str) -> StageError:
    why = _why(status, text)
    if status == 403:
        return _denied(call, why)
    if status == 405:
        return NotOfferedError(
            f"Sterling does not offer to {call.doing}",
            where=call.where,
            why=why,
            mend="This level of Sterling lacks the operation: ask its administrator about the fix level.",
            code="MLC-STL-0405",
        )
    fact = known(text)
    meaning = fact.meaning if fact else "refused"
    if status == 409 or meaning == "exists":
        return ExistsError(
            f"Sterling already has what it was asked to {call.doing}",
            where=call.where,
            why=why,
            mend="It is looked up before anything is repeated.",
            code="MLC-STL-0409",
        )
    if status == 404 or meaning == "not_found":
        return NotFoundError(
            f"Sterling could not {call.doing}: something named there does not exist",
            where=call.where,
            why=why,
            mend=fact.mend if fact else "Create what is missing in Sterling or correct its name here, then replay.",
            owner="EDI desk",
            code="MLC-STL-0404",
        )
    says = f": {fact.says}" if fact else ""
    if fact and meaning == "unknown" and call.writes:
        return TransientError(
            f"Sterling failed to {call.doing}{says}", where=call.where, why=why, mend=fact.mend, code="MLC-STL-0500"
        )
    return RefusedError(
        f"Sterling refused to {call.doing}{says}",
        where=call.where,
        why=why,
        mend=fact.mend if fact else "Correct what the message names, then replay.",
        owner=fact.owner if fact else "EDI desk",
        code="MLC-STL-0413" if status == 413 else "MLC-STL-0400",
    )


def _foreign(call: Call, status: int) -> StageError:
    """A 4xx that is not the server's own error object."""
    if status == 403 and not call.writes:
        return _denied(call, "HTTP 403 without Sterling's own error text.")
    if status == 413:
        return RefusedError(
            f"A proxy or gateway takes nothing of this size: to {call.doing} was refused",
            where=call.where,
            why="HTTP 413 without Sterling's own error text.",
            mend="Raise the limit for uploads on the way to Sterling, or lower `batch.documents` in the partner's file; then replay.",
            owner="IT",
            code="MLC-STL-0413",
        )
    in_between = "Look for a proxy, gateway or sign-on page between here and Sterling."
    lacking = "if this server has no messagebatches, set `upload: documents`." if call.writes else in_between
    hints = {
        404: f"Check the connection's url; {lacking[0].lower()}{lacking[1:]}",
        405: lacking[0].upper() + lacking[1:],
    }
    hint = hints.get(status, in_between)
    return ForeignError(
        f"Something other than Sterling answered when asked to {call.doing}",
        where=call.where,
        why=f"HTTP {status} without Sterling's own error text; the request may or may not have reached Sterling.",
        mend=hint,
        code="MLC-STL-0499",
        status=status,
    )


def _denied(call: Call, why: str) -> PermissionDenied:
    return PermissionDenied(
        f"The account may not {call.doing}",
        where=call.where,
        why=why,
        mend="Ask Sterling's administrator for the permission APIUser and the permission of the mailbox named here.",
        code="MLC-STL-0403",
    )


def _scope_lacking(call: Call, scope: str) -> PermissionDenied:
    return PermissionDenied(
        f"The access token may not be used to {call.doing}",
        where=call.where,
        why=f"HTTP 403: the gateway wants the scope {scope!r}."
        if scope
        else "HTTP 403: the gateway wants another scope.",
        mend="Add the scope to the connection's `auth.oauth2.scope`, and let the gateway's administrator allow it to this client.",
        code="MLC-STL-0403",
    )


def _wants_proxy_sign_in(call: Call) -> ConfigError:
    return ConfigError(
        "A proxy between here and Sterling asks for its own sign-in",
        where=call.where,
        why="HTTP 407.",
        mend="Give this program a way to Sterling that needs no proxy sign-in.",
        code="MLC-STL-0407",
    )


def _redirected(call: Call, status: int) -> StageError:
    kind = TransientError if call.writes else ConfigError
    return kind(
        f"Sterling's address redirects elsewhere when asked to {call.doing}",
        where=call.where,
        why=f"HTTP {status}; redirects are not followed, so that credentials go to no other host.",
        mend="Set the connection's url to the final address, including https and the whole prefix up to /B2BAPIs/svc.",
        code="MLC-STL-0302",
    )


def _throttled(answer: Answer, call: Call, pause: float | None) -> ThrottledError:
    return ThrottledError(
        f"Sterling asked for a pause before it would {call.doing}",
        where=call.where,
        why=_why(answer.status, call.scrub(own_error(answer.body) or "")),
        mend="It is tried again later. If it repeats, lower the connection's `concurrency`.",
        code="MLC-STL-0429",
        retry_after=pause,
    )


def _passing(answer: Answer, call: Call, pause: float | None) -> TransientError:
    return TransientError(
        f"Sterling failed when asked to {call.doing}",
        where=call.where,
        why=_why(answer.status, call.scrub(own_error(answer.body) or "")),
        mend="It is tried again later. If it repeats, ask Sterling's administrator to look at the server's log.",
        code="MLC-STL-0500",
        retry_after=pause,
    )


def _why(status: int, text: str) -> str:
    codes = api_codes(text)
    cause = f" (root cause {codes[-1]})" if len(codes) > 1 else ""
    return f"HTTP {status}{cause}: {plain_text(text)}" if text else f"HTTP {status}."
