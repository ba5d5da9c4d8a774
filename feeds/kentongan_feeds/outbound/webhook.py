"""Alerts over webhooks, signed after Standard Webhooks (https://www.standardwebhooks.com), through the egress guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import orjson
from standardwebhooks import Webhook

from kentongan.domain.alert import Outgoing, Receipt
from kentongan_feeds.egress import Answer, Egress, EgressRefused, NotReached

LONGEST_ANSWER: Final = 500
_GONE: Final = 410


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class WebhookChannel:
    """Sends one alert as one signed POST. Anything from 200 to 299 is a delivery, 410 ends it, everything else is tried again."""

    egress: Egress
    clock: Callable[[], datetime] = _now

    def send(self, outgoing: Outgoing) -> Receipt:
        """Try once, within the guard's bounds."""
        body = orjson.dumps(outgoing.payload)
        try:
            answer = self.egress.post(outgoing.target, body, self._headers(outgoing, body))
        except EgressRefused as error:
            return Receipt(False, f"not sent: {error}", permanent=True)
        except NotReached as error:
            return Receipt(False, f"not reached: {error}"[:LONGEST_ANSWER])
        return _receipt(answer)

    def _headers(self, outgoing: Outgoing, body: bytes) -> dict[str, str]:
        moment = self.clock()
        return {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": f"Kentongan/{version('kentongan')}",
            "webhook-id": outgoing.message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(outgoing.secret).sign(outgoing.message_id, moment, body.decode()),
        }


def _receipt(answer: Answer) -> Receipt:
    said = answer.body.decode(errors="replace").replace("\x00", "\ufffd").strip()
    told = f"HTTP {answer.status}: {said}" if said else f"HTTP {answer.status}"
    if 200 <= answer.status < 300:
        return Receipt(True, told[:LONGEST_ANSWER])
    if 300 <= answer.status < 400:
        where = f" to {answer.location}" if answer.location else ""
        told = f"HTTP {answer.status}: redirects{where} are not followed; subscribe with the final address"
    return Receipt(False, told[:LONGEST_ANSWER], permanent=answer.status == _GONE)
