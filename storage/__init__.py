"""Safe and atomic reading and writing of every file format; nothing that is read is run."""
