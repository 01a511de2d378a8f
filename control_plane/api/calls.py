"""All calls of the API, in the order in which the OpenAPI document tells them: first a recorder's, as it makes them."""

from control_plane.api import (
    acks,
    admin,
    deletions,
    download_events,
    downloads,
    events,
    grants,
    health,
    heartbeats,
    identity,
    losses,
    recordings,
    sharing,
    sweeps,
)

CALLS = (
    *recordings.start_calls,
    *grants.calls,
    *acks.calls,
    *heartbeats.calls,
    *recordings.complete_calls,
    *recordings.calls,
    *deletions.calls,
    *downloads.calls,
    *download_events.calls,
    *sharing.calls,
    *identity.calls,
    *admin.calls,
    *sweeps.calls,
    *losses.calls,
    *events.calls,
    *health.calls,
)
