"""Where the broker is, in the two spellings its clients want, and whether it answers."""

from __future__ import annotations

from urllib.parse import quote

import redis

from kentongan.settings import Settings
from kentongan.supervisor.valkey import socket_path


class NoBroker(Exception):
    """The broker does not answer. The message carries no password."""


def broker_url(settings: Settings) -> str:
    """The URL as Celery takes it: `redis://...`, `rediss://...` or `redis+socket:///path`."""
    if settings.embedded_broker:
        return f"redis+socket://{quote(str(socket_path(settings)))}"
    return settings.redis_url.replace("unix://", "redis+socket://", 1)


def broker_client(settings: Settings, timeout: float = 1.0) -> redis.Redis:
    """A client that gives up after `timeout` seconds. Nothing is opened until it is used."""
    url = broker_url(settings).replace("redis+socket://", "unix://", 1)
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=None)


def ping(settings: Settings, timeout: float = 1.0) -> None:
    """Raises NoBroker if the broker does not answer within `timeout` seconds."""
    try:
        with broker_client(settings, timeout) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise NoBroker(type(error).__name__) from None
