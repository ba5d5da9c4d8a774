"""What the web server imports, in each of its workers."""

from __future__ import annotations

from kentongan import log
from kentongan.app import create_app
from kentongan.bootstrap import assemble, broker_nudge
from kentongan.settings import load_settings
from kentongan.supervisor.lifeline import die_with_forking_parent

die_with_forking_parent()
_settings = load_settings()
log.configure(_settings.log_level)
app = create_app(assemble(_settings, nudge=broker_nudge(_settings)))
