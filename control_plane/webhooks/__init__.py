"""Webhooks over HTTP: signed by Standard Webhooks, and sent to no address that was not looked at. Knows nothing of the ledger."""
