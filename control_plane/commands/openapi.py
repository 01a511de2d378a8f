"""`safereel openapi`: the document of the API. Needs neither database nor bucket."""

import argparse
import json

from control_plane.api.calls import CALLS
from control_plane.api.openapi import document


def run(_: argparse.Namespace) -> int:
    """Prints it."""
    print(json.dumps(document(CALLS), indent=2, ensure_ascii=False))
    return 0
