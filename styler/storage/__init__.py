"""The only modules that open files, run codecs or use the network."""
