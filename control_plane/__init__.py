"""Safereel's control plane: grants presigned PUTs, believes only a HEAD, and reconciles bucket and ledger."""

__version__ = "0.1.0"
