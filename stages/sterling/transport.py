"""What lies below HTTP: the TLS of a connection, and what a broken one means. Opens no connection itself."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import aiohttp

from pipeline import ConfigError, StageError, TransientError
from stages.sterling.config import Tls
from stages.sterling.protocol.errors import Call, NotSentError

log = logging.getLogger(__name__)


def broken(error: Exception, call: Call) -> StageError:
    """What went wrong below HTTP. Only the kind of the exception and the system's own words get into the text."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return ConfigError(
            "The server's certificate is not trusted",
            where=call.where,
            why=_certificate_reason(error),
            mend="Put the certificate of Sterling's authority into tls.ca_file, and use the host name it was issued for.",
            code="MLC-STL-0105",
        )
    why = _reason(error)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return NotSentError(
            "No connection could be made, so nothing was sent",
            where=call.where,
            why=why,
            mend="It is tried again later. Check that the server runs and that its address and port are right.",
            code="MLC-STL-0700",
        )
    return TransientError(
        f"The connection failed when Sterling was asked to {call.doing}",
        where=call.where,
        why=why,
        mend="It is tried again later. If it repeats, look at the network and at timeouts in between.",
        code="MLC-STL-0701",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "No answer in time."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "The host's name was not found."
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return f"TLS: {cause.reason}."
    if isinstance(cause, OSError) and isinstance(cause.strerror, str):
        return f"{cause.strerror}."
    return f"{type(error).__name__}."


def _certificate_reason(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    return str(cause.verify_message) if isinstance(cause, ssl.SSLCertVerificationError) else type(cause).__name__


def tls_context(tls: Tls, folder: Path) -> ssl.SSLContext:
    """The client's TLS: 1.2 or newer, host names checked, the files of the settings. Raises `ConfigError` for unusable files."""
    try:
        context = ssl.create_default_context(cafile=str(folder / tls.ca_file) if tls.ca_file else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.client_certificate:
            key = str(folder / tls.client_key) if tls.client_key else None
            # Without a password callback OpenSSL would stop and ask on the terminal.
            context.load_cert_chain(str(folder / tls.client_certificate), key, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = _reason(error)
    else:
        if not tls.verify:
            log.warning(
                "sterling: TLS VERIFICATION IS OFF (tls.verify: false): anyone in between can read and change everything"
            )
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
    raise ConfigError(
        "A TLS file cannot be used",
        where="tls.ca_file, tls.client_certificate, tls.client_key",
        why=reason,
        mend="Give existing PEM files; the key must not need a passphrase.",
        code="MLC-STL-0105",
    )
