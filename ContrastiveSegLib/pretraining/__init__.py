"""One file per pre-training method; the file name is the method's name everywhere."""
