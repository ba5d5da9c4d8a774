"""The STIX gate: bytes in, checked objects out. Its rules are listed, with their names, in docs/stix-validation.md.

`read` refuses what is unsound as a whole; `check` judges each object on its own. Nothing here knows a clock, a
database or a network.
"""

from kentongan.domain.gate.checking import Checked, accepted_alone, check, content_sha256
from kentongan.domain.gate.extension import INCIDENT_EXTENSION_ID
from kentongan.domain.gate.inflating import gunzip
from kentongan.domain.gate.problem import Limits, Problem, Unreadable
from kentongan.domain.gate.reading import Document, parse, read, read_envelope

__all__ = [
    "INCIDENT_EXTENSION_ID",
    "Checked",
    "Document",
    "Limits",
    "Problem",
    "Unreadable",
    "accepted_alone",
    "check",
    "content_sha256",
    "gunzip",
    "parse",
    "read",
    "read_envelope",
]
