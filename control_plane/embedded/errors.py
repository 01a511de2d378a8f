"""The one error of the embedded stack."""


class EmbeddedError(Exception):
    """The embedded stack cannot start or has failed. The message says what was found and the way out."""
