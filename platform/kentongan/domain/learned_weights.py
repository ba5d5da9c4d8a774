"""What each level of agreement tells, in bits per strength: learned by scripts/learn_weights.py, not written by hand.

Learned from the development stream (2006 reports, 17247 proposed pairs, 778 of them of one event). docs/matching.md has
the model and how well it holds on what it did not learn from; the script's first lines say how to learn anew.
"""

from __future__ import annotations

from collections.abc import Mapping

FIXED: Mapping[str, float] = {"same-id": 20.0}
"""Not learned: what an equal id means needs no data, and the stream has none."""

PRIOR_BITS = -6.52

LEARNED: Mapping[str, float] = {
    **FIXED,
    "victim:same": 0.65,
    "victim:other": -10.62,
    "time:0": 3.54,
    "time:2": 3.54,
    "time:4": 1.47,
    "time:7": 0.44,
    "time:14": -1.75,
    "time:30": -4.18,
    "time:90": -7.05,
    "time:more": -10.03,
    "time:month": 0.9,
    "time:year": 0.58,
    "reported:10": 1.2,
    "reported:21": -0.17,
    "reported:45": -2.03,
    "reported:90": -4.02,
    "reported:more": -6.02,
    "value": 1.26,
    "other-values:most": -0.82,
    "other-values:all": -1.8,
    "country:same": 1.38,
    "country:other": -6.97,
    "sector:same": 1.05,
    "sector:other": -2.7,
    "culprit:same": 1.58,
    "culprit:other": -2.29,
    "wording:alike": 0.45,
    "wording:other": -3.0,
    "number": 1.5,
    "page": 0.8,
    "class:same": 0.5,
    "class:other": -0.94,
}
