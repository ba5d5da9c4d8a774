"""SQLAlchemy tables and their named queries, one file per aggregate. Importing this package knows every table."""

from kentongan.storage import (
    alerts,
    audit,
    cases,
    coordination,
    groups,
    incidents,
    jobs,
    objects,
    observables,
    organizations,
    persons,
    retention,
    submissions,
    tombstones,
    visibility,
)
from kentongan.storage.base import Base

__all__ = [
    "Base",
    "alerts",
    "audit",
    "cases",
    "coordination",
    "groups",
    "incidents",
    "jobs",
    "objects",
    "observables",
    "organizations",
    "persons",
    "retention",
    "submissions",
    "tombstones",
    "visibility",
]
