"""The main job, done before your eyes with real incidents: submitted, matched, told, and the alerts checked on arrival."""
