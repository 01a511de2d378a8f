"""S3: signing, the hot path (HEAD, GET, PUT, LIST) and provisioning. Imports the domain and S3 libraries only."""
