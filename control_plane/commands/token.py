"""`safereel token`: a token, for trying things out."""

import argparse
import os

from control_plane.embedded import read_running_stack
from control_plane.environment import DATA_DIR, UsageError
from control_plane.wiring import token_issuer, utc_now


def run(arguments: argparse.Namespace) -> int:
    """Prints one that is signed with `SAFEREEL_TOKEN_SECRET`, else with the secret of the stack that runs here."""
    secret = os.environ.get("SAFEREEL_TOKEN_SECRET")
    if not secret and (provider := os.environ.get("SAFEREEL_OIDC_ISSUER")):
        raise UsageError(
            f"tokens are issued by the identity provider {provider}: ask it for one, with the scope record"
        )
    secret = secret or read_running_stack(arguments.data_dir or DATA_DIR)["token_secret"]
    scopes = ["record", "admin"] if arguments.admin else ["record"]
    try:
        token, _ = token_issuer(secret).issue(arguments.owner, scopes, utc_now())
    except ValueError as exc:
        raise UsageError(f"--owner: {exc}") from exc
    print(token)
    return 0
