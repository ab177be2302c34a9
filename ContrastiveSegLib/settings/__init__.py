"""What a job can be asked: every setting with its default, rules and help."""
