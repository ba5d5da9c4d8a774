"""By which name browsers know this installation: passkeys are bound to it."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request
from werkzeug.exceptions import NotFound

from kentongan.domain.target import literal
from kentongan.portal.blueprint import kentongan
from kentongan.services.passkeys import RelyingParty


def relying_party() -> RelyingParty | None:
    """The name of the installation's public address, or `localhost`; None where it has none, since passkeys need one.

    What a request calls its host decides nothing where the operator said what the installation is called.
    """
    address = kentongan().settings.public_url
    if not address and urlsplit(request.host_url).hostname == "localhost":
        address = request.host_url
    parts = urlsplit(address)
    if parts.hostname is None or literal(parts.hostname) is not None:
        return None
    return RelyingParty(parts.hostname, f"{parts.scheme}://{parts.netloc}")


def party() -> RelyingParty:
    """The same. Raises NotFound where passkeys cannot be used."""
    if (known := relying_party()) is None:
        raise NotFound
    return known
