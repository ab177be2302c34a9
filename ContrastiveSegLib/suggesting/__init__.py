"""What to annotate next: what stands for the collection, and where the model is unsure."""
