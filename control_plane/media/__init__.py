"""Media: segments in, one seekable file out, without re-encoding, by a child process that may fail alone."""
