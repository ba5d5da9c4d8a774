"""SQLAlchemy tables and their named queries, one file per aggregate. Importing this package knows every table."""

from kentongan.storage import (
    alerts,
    attempts,
    audit,
    cases,
    coordination,
    credentials,
    groups,
    incidents,
    jobs,
    objects,
    observables,
    organizations,
    person_links,
    person_sessions,
    persons,
    submissions,
    visibility,
)
from kentongan.storage.base import Base

__all__ = [
    "Base",
    "alerts",
    "attempts",
    "audit",
    "cases",
    "coordination",
    "credentials",
    "groups",
    "incidents",
    "jobs",
    "objects",
    "observables",
    "organizations",
    "person_links",
    "person_sessions",
    "persons",
    "submissions",
    "visibility",
]
