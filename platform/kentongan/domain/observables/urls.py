"""URLs in one spelling, after RFC 3986 section 6.2 (syntax- and scheme-based normalization)."""

from __future__ import annotations

import re

from kentongan.domain.incident import Observable
from kentongan.domain.observables.addresses import address
from kentongan.domain.observables.defang import refanged
from kentongan.domain.observables.names import domain, email

_HIERARCHICAL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):[/\\]{2,}(.*)", re.DOTALL)
_OPAQUE = re.compile(
    r"(data|magnet|javascript|tel|sms|about|blob|urn|ms-[a-z-]+|tg|bitcoin|ethereum):(.+)", re.I | re.DOTALL
)
_BREAKS = re.compile(r"[\t\r\n\f\v\x00-\x1f\x7f]+")
_AUTHORITY_END = re.compile(r"[/?#\\]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})|([^A-Za-z0-9._~!$&*+,;=:@/-])")
_ESCAPE_QUERY = re.compile(r"%([0-9A-Fa-f]{2})|([^A-Za-z0-9._~!$&*+,;=:@/?-])")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {
    "http": 80,
    "https": 443,
    "ftp": 21,
    "ws": 80,
    "wss": 443,
    "ssh": 22,
    "ldap": 389,
    "ldaps": 636,
    "sftp": 22,
}
_WEBDAV_PORT = re.compile(r"@(?:SSL@)?([0-9]{1,5})\Z", re.IGNORECASE)
_NUMBER = re.compile(r"0x[0-9a-f]{7,8}|[1-9][0-9]{7,9}", re.IGNORECASE)


def url(raw: str) -> Observable | None:
    """A URL with lower-case scheme and host, no default port, no fragment, dot segments and escapes resolved.

    Example: `hxxp://EVIL[.]example:80/%7Ea/../b#top` is `http://evil.example/b`. Without a scheme it is taken as http.
    User information is kept: credentials inside a URL of malware tell it from others. A host written as one number
    (`http://3232235777/`) is the address it stands for.
    """
    text = refanged(raw)
    if not text:
        return None
    text = _BREAKS.sub("", text)
    found = _HIERARCHICAL.fullmatch(text)
    if found:
        return _hierarchical(found.group(1).lower(), found.group(2))
    return _without_authority(text)


def _without_authority(text: str) -> Observable | None:
    if text[:7].lower() == "mailto:":
        return email(text)
    opaque = _OPAQUE.fullmatch(text)
    if opaque:
        return Observable("url", f"{opaque.group(1).lower()}:{_escaped(opaque.group(2).strip(), _ESCAPE_QUERY)}")
    bare = text.lstrip("/\\")
    return _hierarchical("http", bare) if "." in bare.split("/", 1)[0] else None


def _hierarchical(scheme: str, rest: str) -> Observable | None:
    end = _AUTHORITY_END.search(rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    where = _authority(scheme, authority)
    if where is None:
        return None
    tail = tail.partition("#")[0]
    path, _, query = tail.partition("?")
    path = _without_dot_segments(_escaped(path.replace("\\", "/"), _ESCAPE))
    query = _escaped(query, _ESCAPE_QUERY).rstrip("?") if query else ""
    return Observable("url", f"{scheme}://{where}{path}{'?' + query if query else ''}")


def _authority(scheme: str, authority: str) -> str | None:
    if scheme == "file":
        authority = _WEBDAV_PORT.sub(r":\1", authority)
    user, at, host_port = authority.rpartition("@")
    host, port = _host_and_port(host_port)
    where = url_host(host)
    if where is None or port is None:
        return None
    shown = f"[{where.value}]" if where.kind == "ipv6" else where.value
    user = _escaped(user, _ESCAPE).replace("/", "%2F").replace("@", "%40") if at else ""
    number = f":{port}" if port not in (-1, _DEFAULT_PORTS.get(scheme)) else ""
    return f"{user + '@' if user else ''}{shown}{number}"


def _host_and_port(text: str) -> tuple[str, int | None]:
    """The port is -1 where none is given and None where it is no port."""
    host, colon, port = (text, "", "") if text.endswith("]") else text.rpartition(":")
    if not colon:
        return text, -1
    port = port.lstrip("0") or port[:1]
    if not port:
        return host, -1
    valid = port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535
    return host, int(port) if valid else None


def url_host(host: str) -> Observable | None:
    """The host of a URL: a domain or an address (also one written as a single number), None if it is neither."""
    if host.startswith("["):
        found = address(host)
        return found if found and found.kind in ("ipv4", "ipv6") else None
    host = _escape_free(host)
    if _NUMBER.fullmatch(host):
        value = int(host, 0)
        return address(".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))) if value < 2**32 else None
    found = domain(host)
    return found if found and found.kind in ("domain", "ipv4", "ipv6") else None


def _escape_free(host: str) -> str:
    if "%" not in host:
        return host
    return re.sub(r"%([2-7][0-9A-Fa-f])", lambda found: chr(int(found.group(1), 16)), host)


def _escaped(text: str, rule: re.Pattern[str]) -> str:
    """Escapes in one spelling: unreserved characters bare, all others that need it as upper-case UTF-8 octets."""
    return rule.sub(_one_escape, text)


def _one_escape(found: re.Match[str]) -> str:
    if found.group(1) is None:
        return "".join(f"%{octet:02X}" for octet in found.group(2).encode("utf-8", "surrogatepass"))
    octet = int(found.group(1), 16)
    return chr(octet) if octet in _UNRESERVED else f"%{octet:02X}"


def _without_dot_segments(path: str) -> str:
    """RFC 3986 section 5.2.4; an empty path is `/`."""
    if "/." not in path:
        return path or "/"
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == ".." and kept:
            kept.pop()
        elif segment not in (".", ".."):
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
