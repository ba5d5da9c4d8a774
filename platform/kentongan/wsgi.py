"""What the web server imports, in each of its workers."""

from __future__ import annotations

import gc

from kentongan import log
from kentongan.app import create_app
from kentongan.bootstrap import assemble, broker_nudge
from kentongan.settings import load_settings
from kentongan.supervisor.lifeline import die_with_forking_parent

die_with_forking_parent()
_settings = load_settings()
log.configure(_settings.log_level)
app = create_app(assemble(_settings, nudge=broker_nudge(_settings)))

# What stands now stays: the collector need not walk it again. And a bundle of a thousand objects is a hundred thousand
# short-lived things without cycles: looking through them every 700 is a third of the time it takes to check them.
gc.collect()
gc.freeze()
gc.set_threshold(100_000, 20, 20)
