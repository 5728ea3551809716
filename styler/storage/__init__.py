"""Files, codecs and downloads: the only rooms that open any."""
