"""One file per fine-tuning strategy; the file name is the strategy's name everywhere."""
