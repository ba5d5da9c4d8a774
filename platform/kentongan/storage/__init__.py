"""SQLAlchemy tables and their named queries, one file per aggregate. Importing this package knows every table."""

from kentongan.storage import (
    alerts,
    cases,
    incidents,
    jobs,
    objects,
    observables,
    organizations,
    submissions,
    visibility,
)
from kentongan.storage.base import Base

__all__ = [
    "Base",
    "alerts",
    "cases",
    "incidents",
    "jobs",
    "objects",
    "observables",
    "organizations",
    "submissions",
    "visibility",
]
