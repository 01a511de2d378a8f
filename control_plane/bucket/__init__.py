"""S3: signing, the hot path (HEAD, GET, PUT, LIST) and provisioning."""
