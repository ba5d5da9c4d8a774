"""Everything an operator can set, read once from the environment; a wrong value is refused at start, by name."""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_SHORTEST_SECRET = 16
_FEWEST_SIGNS = 6
"""A secret out of an example or of one key held down opens everybody's sessions: it does not start."""


class WrongSetting(Exception):
    """A setting has a value that cannot be; the message names the variable, the value's fault and nothing secret."""


class Settings(BaseSettings):
    """One installation. A field `x` is the environment variable `KENTONGAN_X`, or the file that `KENTONGAN_X_FILE` names."""

    model_config = SettingsConfigDict(env_prefix="KENTONGAN_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path("kentongan-data"), description="folder of the SQLite file, keys, sockets and logs")
    host: str = Field("127.0.0.1", description="address the portal listens on")
    port: int = Field(8450, ge=0, le=65535, description="TCP port of the portal; 0 takes a free one")
    public_url: str = Field(
        "", description="the address that alerts and letters name, and passkeys are bound to; default http://host:port"
    )
    database_url: str = Field("", description="SQLAlchemy URL; default: SQLite in the data folder")
    redis_url: str = Field("", description="broker URL; default: the embedded Valkey of this installation")
    web_workers: int = Field(1, ge=1, le=64, description="web processes")
    web_threads: int = Field(16, ge=1, le=256, description="threads in each web process")
    trusted_proxies: int = Field(
        0, ge=0, le=8, description="proxies in front, whose X-Forwarded-For, -Proto and -Host are believed"
    )
    stage_processes: int = Field(
        1, ge=1, le=64, description="processes that run the stages; SQLite has one writer, so there one is enough"
    )
    sweep_seconds: float = Field(
        2.0, gt=0, le=60, description="how often waiting jobs are looked for that no nudge reached"
    )
    lease_seconds: float = Field(
        60.0, ge=1, le=3600, description="how long a worker may keep a job before another takes it"
    )
    max_bytes: int = Field(32 * 1024 * 1024, ge=1024, description="largest submission, in bytes after decompression")
    max_objects: int = Field(20_000, ge=1, description="most objects in one submission")
    egress_allow: str = Field(
        "", description="comma-separated networks webhooks may reach although not global, e.g. 127.0.0.0/8"
    )
    smtp_host: str = Field("", description="mail server; empty: e-mail deliveries wait and say so")
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_starttls: bool = False
    smtp_user: str = ""
    smtp_password: str = Field("", repr=False)
    mail_from: str = "kentongan@localhost"
    mail_in: str = Field(
        "", description="host:port where mail for feeds is received by SMTP, e.g. 0.0.0.0:25; empty: it is not"
    )
    mail_in_domain: str = Field(
        "", description="what stands behind the @ of feeds' mail addresses; default: the host of the public URL"
    )
    mail_in_certificate: str = Field("", description="PEM file of the certificate for STARTTLS; empty: without TLS")
    mail_in_key: str = Field("", validate_default=True, description="PEM file of its key")
    delivery_days: float = Field(1.0, gt=0, le=30, description="how long a delivery is tried before it is given up")
    retry_base_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="longest wait before the second attempt of a delivery; doubles with each attempt",
    )
    retry_cap_seconds: float = Field(3600.0, gt=0, le=86400, description="longest wait between two attempts")
    log_level: str = "INFO"
    secret_key: str = Field(
        "",
        repr=False,
        description="signs sessions and seals the secrets of authenticator apps; default: made once and kept in the data folder",
    )
    audit_key: str = Field(
        "",
        repr=False,
        description="signs heads of the audit trail (64 hexadecimal digits); default: made once and kept in the data folder",
    )
    oidc_issuer: str = Field("", description="identity provider people may sign in with (OpenID Connect); empty: none")
    oidc_client_id: str = Field("", description="how that provider knows this installation")
    oidc_client_secret: str = Field("", repr=False, description="with which secret; empty: a public client")
    oidc_label: str = Field("your organization's account", description="what the sign-in page calls it")
    public_feeds: bool = Field(
        False, description="whether what is marked TLP:CLEAR is also given out as feeds to anybody, without a token"
    )
    metrics_networks: str = Field(
        "127.0.0.0/8,::1/128",
        description="comma-separated networks that may read /metrics, which counts hidden things too",
    )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if url and not url.startswith(("sqlite:", "postgresql:", "postgresql+psycopg:")):
            raise ValueError("must be a sqlite: or postgresql: URL")
        _check_readable(url)
        return url.replace("postgresql:", "postgresql+psycopg:", 1) if url.startswith("postgresql:") else url

    @field_validator("secret_key")
    @classmethod
    def _real_secret(cls, secret: str) -> str:
        if secret and (len(secret) < _SHORTEST_SECRET or len(set(secret)) < _FEWEST_SIGNS):
            raise ValueError(
                f"must have at least {_SHORTEST_SECRET} characters, and not the same few: make it with `openssl rand -hex 32`"
            )
        return secret

    @field_validator("audit_key")
    @classmethod
    def _known_key(cls, digits: str) -> str:
        if digits and not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
            raise ValueError("must be 64 hexadecimal digits")
        return digits

    @field_validator("oidc_issuer")
    @classmethod
    def _encrypted_issuer(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        at_home = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if issuer and not (parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and at_home))):
            raise ValueError("must be an https: address; http: only on this machine itself")
        return issuer

    @field_validator("metrics_networks", "egress_allow")
    @classmethod
    def _known_networks(cls, networks: str) -> str:
        for network in filter(None, (part.strip() for part in networks.split(","))):
            ip_network(network)
        return networks

    @field_validator("mail_in")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        if address and not (host and port.isascii() and port.isdigit() and int(port) <= 65_535):
            raise ValueError("must be host:port, such as 0.0.0.0:25 or [::]:25")
        return address

    @field_validator("mail_in_key")
    @classmethod
    def _key_of_a_certificate(cls, key: str, info: ValidationInfo) -> str:
        if bool(key) != bool(info.data.get("mail_in_certificate")):
            raise ValueError("a certificate needs its key, and a key its certificate")
        return key

    @property
    def mail_address(self) -> tuple[str, int]:
        """Where mail is received; only where `mail_in` is set."""
        host, _, port = self.mail_in.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def mail_domain(self) -> str:
        """What stands behind the @ of feeds' mail addresses, in small letters."""
        return (self.mail_in_domain or urlsplit(self.address).hostname or "localhost").lower()

    @property
    def database(self) -> str:
        """The URL that is really used."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'kentongan.sqlite'}"

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of this installation."""
        return self.database.startswith("sqlite:")

    @property
    def address(self) -> str:
        """Where people find the portal: what alerts name."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def embedded_broker(self) -> bool:
        """Whether this installation runs its own Valkey."""
        return not self.redis_url

    @property
    def run_dir(self) -> Path:
        """Where sockets, pids and the address of the running installation lie."""
        return self.data_dir.absolute() / "run"


def load_settings(**overrides: Any) -> Settings:
    """Read the environment once; `overrides` (not None) win, as a command's options do.

    Raises WrongSetting, naming the variables, on a value that cannot be.
    """
    given = {**_from_files(), **{name: value for name, value in overrides.items() if value is not None}}
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(f"KENTONGAN_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise WrongSetting(wrong) from None


def _check_readable(url: str) -> None:
    """Raises ValueError, which quotes nothing of a URL that may hold a password."""
    if not url:
        return
    from sqlalchemy.engine import make_url  # noqa: PLC0415  # `--help` is quick without it
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("must be readable as scheme://user:password@host:port/name") from None


def _from_files() -> dict[str, str]:
    """Secrets from files, as container engines mount them: KENTONGAN_DATABASE_URL_FILE names a file with the URL."""
    found = {}
    for name in Settings.model_fields:
        if path := os.environ.get(f"KENTONGAN_{name.upper()}_FILE"):
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise WrongSetting(f"KENTONGAN_{name.upper()}_FILE: {error.strerror}") from None
    return found
