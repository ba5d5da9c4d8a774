"""Pure rules: no Flask, Celery, SQLAlchemy, Redis, clock or I/O."""
