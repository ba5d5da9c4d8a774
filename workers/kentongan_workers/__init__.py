"""What keeps the promises: Celery processes that drain the outbox, one thin task per stage."""
