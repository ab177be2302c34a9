"""Networks built of parts whose names survive from pre-training to prediction."""
