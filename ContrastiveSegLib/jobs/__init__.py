"""One file per thing a user can ask for; each is a verb of the command line."""
