"""`safereel drill`: does to a recording of its own what must never harm anybody's, and watches the deployment repair it.

It is a recorder like any other: it starts a recording, sends chunks by granted URLs, beats and serves tickets, by the same
services that the API calls. What it damages are its own objects alone, and in the end it deletes its recording, also when it is
stopped; what a killed one left, the next one deletes.
"""

from control_plane.drill.command import OWNER, run

__all__ = ["OWNER", "run"]
