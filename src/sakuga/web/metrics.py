"""What this server counts, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Everything this server counts; safe to change from many threads."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("sakuga_requests", "Requests answered.", labels, registry=registry)
        self.pixels = Counter(
            "sakuga_painted_pixels", "Pixels of pictures painted.", registry=registry
        )
        self.seconds = Histogram(
            "sakuga_picture_seconds",
            "Time to read, paint and encode a picture.",
            buckets=_BUCKETS_S,
            registry=registry,
        )

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Show a value as it is when it is asked for."""
        Gauge(name, meaning, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All of it."""
        return prometheus_client.generate_latest(self._registry)
