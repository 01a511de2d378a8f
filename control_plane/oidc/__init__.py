"""Identity providers (OpenID Connect): where their keys are, and which of these can be used."""
