"""All calls of the API, in the order in which the OpenAPI document tells them."""

from control_plane.api import acks, admin, deletions, grants, health, heartbeats, identity, recordings

CALLS = (
    *recordings.calls,
    *deletions.calls,
    *grants.calls,
    *acks.calls,
    *heartbeats.calls,
    *identity.calls,
    *admin.calls,
    *health.calls,
)
