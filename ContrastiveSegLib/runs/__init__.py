"""Run folders: settings, events, log, lock and results of one piece of work."""
