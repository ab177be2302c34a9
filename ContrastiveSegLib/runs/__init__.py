"""What was asked, what happened, what came out."""
