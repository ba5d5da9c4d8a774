"""Writing the links that a stage found, and taking back those that it did not find again; what people decided stays."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from kentongan.services import evidence_codec
from kentongan.services.comparing import Compared
from kentongan.services.standing import decided_pairs, lay_off, lay_on, standing_of
from kentongan.storage import cases
from kentongan.storage.cases import FoundLink


def keep_links(session: Session, kind: str, found: Compared, now: datetime) -> set[int]:
    """Make the links of this kind what was found; gives the incidents at whose links something changed.

    Hold the case lock: another worker may have linked these incidents since the look-up, and only the lock makes the second look
    final.
    """
    decided = decided_pairs(session, kind, found.incident_ids)
    lay_off(session, kind, decided)
    earlier = cases.linked_pairs(session, kind, found.incident_ids)
    gone = {pair for pair in earlier if pair not in found.judged and found.comparing.outdated(pair)}
    links = [
        FoundLink(pair, judgement.score, judgement.bits, evidence_codec.written(judgement.evidence))
        for pair, judgement in found.judged.items()
    ]
    cases.replace_links(session, kind, gone, links, now)
    if decided:
        lay_on(session, kind, standing_of(session, kind, found.incident_ids))
    # What was decided may rest now, or stand again: a report was withdrawn, or shared with others.
    changed = gone | decided | {link.pair for link in links if earlier.get(link.pair) != link.bits}
    return {one for pair in changed for one in pair}
