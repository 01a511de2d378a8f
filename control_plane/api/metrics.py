"""`/metrics`: figures for Prometheus, in its text format. Without a token: they name nobody, and a proxy can keep them inside."""

from collections.abc import Iterator, Mapping
from math import inf

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane.api.state import State, services
from control_plane.domain.events import EventKind
from control_plane.domain.models import Figures


class _Collector(Collector):
    def __init__(self, found: Figures, events: Mapping[EventKind, int]) -> None:
        self._found = found
        self._events = events

    def collect(self) -> Iterator[Metric]:
        """Each metric with what it means; units are in the names."""
        found = self._found
        yield GaugeMetricFamily(
            "safereel_deletions", "Recordings being deleted, until nothing can come back", found.deletions
        )
        yield GaugeMetricFamily(
            "safereel_deletions_failing", "Of those, whose last purge failed: alert on this", found.deletions_failing
        )
        yield GaugeMetricFamily(
            "safereel_deletions_failing_oldest_seconds",
            "How long ago the oldest of the failing ones was asked for",
            found.failing_since_s,
        )
        yield GaugeMetricFamily(
            "safereel_manifests_missing",
            "Complete recordings whose manifest is not in the bucket yet",
            found.manifests_missing,
        )
        yield GaugeMetricFamily(
            "safereel_audit_oldest_shard_seconds",
            "How long ago the last audit began of what was not audited for the longest",
            found.audit_oldest_s,
        )
        yield GaugeMetricFamily(
            "safereel_workers_silent_seconds",
            "How long ago any worker last said that it lives; +Inf: none runs",
            inf if found.workers_silent_s is None else found.workers_silent_s,
        )
        yield GaugeMetricFamily(
            "safereel_sweeps_waiting_seconds", "How long the oldest sweep waits for a worker", found.sweeps_waiting_s
        )
        yield CounterMetricFamily(
            "safereel_quota_drifts", "Recounts that found an owner's counters off: alert on any", found.drifts
        )
        yield GaugeMetricFamily(
            "safereel_quota_drift_bytes",
            "By how much each owner's last recount found it off, summed",
            found.drift_bytes,
        )
        yield GaugeMetricFamily("safereel_quota_used_bytes", "What all owners have in the bucket", found.used_bytes)
        yield GaugeMetricFamily("safereel_quota_reserved_bytes", "What they have grants for", found.reserved_bytes)
        yield GaugeMetricFamily("safereel_owners_over_quota", "Owners beyond their limit", found.over_quota)
        yield from self._downloads()
        yield from self._webhooks()
        yield from self._at_risk()
        yield from self._fixity()

    def _downloads(self) -> Iterator[Metric]:
        found = self._found
        under_way = GaugeMetricFamily("safereel_downloads", "Downloads under way, by state", labels=["state"])
        under_way.add_metric(["queued"], found.downloads_queued)
        under_way.add_metric(["running"], found.downloads_running)
        yield under_way
        yield GaugeMetricFamily(
            "safereel_downloads_waiting_oldest_seconds",
            "How long the one has waited that could be made for the longest",
            found.downloads_waiting_s,
        )
        yield GaugeMetricFamily(
            "safereel_downloads_failed", "Downloads that failed within a day", found.downloads_failed
        )
        yield GaugeMetricFamily(
            "safereel_downloads_ready_bytes", "What files that are ready take in the bucket", found.downloads_bytes
        )

    def _webhooks(self) -> Iterator[Metric]:
        found = self._found
        yield GaugeMetricFamily(
            "safereel_webhooks_pending", "Webhooks that no receiver has taken yet", found.webhooks_pending
        )
        yield GaugeMetricFamily(
            "safereel_webhooks_pending_oldest_seconds",
            "How long ago the oldest of these was to be told",
            found.oldest_webhook_s,
        )
        yield GaugeMetricFamily(
            "safereel_webhooks_given_up",
            "Webhooks that were given up within a week: alert on any",
            found.webhooks_given_up,
        )

    def _at_risk(self) -> Iterator[Metric]:
        found = self._found
        yield GaugeMetricFamily(
            "safereel_chunks_unconfirmed", "Acked, and not seen again by a sweep yet", found.unconfirmed_chunks
        )
        yield GaugeMetricFamily(
            "safereel_chunks_unconfirmed_oldest_seconds",
            "How long ago the oldest of these was acked: alert if sweeps fall behind",
            found.oldest_unconfirmed_s,
        )
        yield GaugeMetricFamily(
            "safereel_tickets_open", "Chunks that the bucket lost and recorders are asked for", found.open_tickets
        )
        yield GaugeMetricFamily(
            "safereel_tickets_open_oldest_seconds", "How long ago the oldest of these was opened", found.oldest_ticket_s
        )
        yield GaugeMetricFamily(
            "safereel_chunks_lost", "Chunks that nobody is known to have any more: alert on any", found.lost_chunks
        )
        yield GaugeMetricFamily(
            "safereel_releases_frozen", "1 while nothing is released: alert on it", int(found.frozen)
        )
        events = CounterMetricFamily("safereel_events", "Events of the log, by kind", labels=["kind"])
        for kind in EventKind:
            events.add_metric([kind.value], self._events.get(kind, 0))
        yield events

    def _fixity(self) -> Iterator[Metric]:
        found = self._found
        yield CounterMetricFamily("safereel_fixity_read_chunks", "Chunks read back and hashed", found.read_chunks)
        yield CounterMetricFamily("safereel_fixity_read_bytes", "Their bytes", found.read_bytes)
        yield CounterMetricFamily(
            "safereel_fixity_damaged_chunks", "Chunks read wrong twice: alert on any", found.damaged_chunks
        )
        yield GaugeMetricFamily(
            "safereel_fixity_doubted_chunks", "Chunks read wrong, and not read right since", found.read_wrong
        )
        coverage = GaugeMetricFamily(
            "safereel_fixity_coverage_ratio",
            "Of the confirmed bytes, the part that was read within so many days, or ever",
            labels=["within"],
        )
        for within, read in (
            ("30d", found.read_30d_bytes),
            ("90d", found.read_90d_bytes),
            ("ever", found.read_ever_bytes),
        ):
            coverage.add_metric([within], read / found.confirmed_bytes if found.confirmed_bytes else 0.0)
        yield coverage
        yield GaugeMetricFamily(
            "safereel_fixity_oldest_unread_seconds",
            "How long ago the least recently read chunk was read, or confirmed if it never was: alert if it keeps growing",
            found.oldest_unread_s,
        )


async def metrics(request: Request[State]) -> Response:
    """The figures of the whole deployment: every replica tells the same."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(*await services(request).figures.read()))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST, headers={"cache-control": "no-store"})


metrics_route = Route("/metrics", metrics, methods=["GET"])
