"""The page's state as metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.services.health import HealthReport


@dataclass(frozen=True)
class HealthCollector(Collector):
    """Collector of a page's state, which is measured when Prometheus asks."""

    report: Callable[[], HealthReport]

    def collect(self) -> Iterator[Metric]:
        """The numbers of a report; those of the store only while it can be reached."""
        report = self.report()
        gauges: dict[str, tuple[str, float]] = {
            "hypersd_up": ("1 if the vote store can be reached.", report.status != "unavailable"),
            "hypersd_queue_waiting": ("Requests for pictures that wait for their turn.", report.queue.waiting),
            "hypersd_queue_drawing": ("Requests that use the models or wait for them.", report.queue.drawing),
            "hypersd_resident_memory_bytes": ("Memory of the process.", report.resident_bytes),
            "hypersd_free_disk_bytes": ("Free space on the disk of the data folder.", report.free_disk_bytes),
        }
        if report.supply:
            gauges["hypersd_prepared_pairs"] = ("Prepared pairs that nobody has seen.", report.supply.pairs)
        if report.publishing:
            gauges["hypersd_unpublished_votes"] = ("Votes in the outbox.", report.publishing.waiting)
            if report.publishing.age_seconds is not None:
                gauges["hypersd_publish_age_seconds"] = ("Time since publishing.", report.publishing.age_seconds)
        for name, (description, value) in gauges.items():
            yield GaugeMetricFamily(name, description, value)
        failed = report.publishing.failed_attempts if report.publishing else 0
        yield CounterMetricFamily("hypersd_publish_failures", "Failed attempts to publish.", failed)
