"""Counters in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Everything this server counts; safe to change from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()  # method, route, status
        self._pixels = 0
        self._seconds = 0.0
        self._pictures = 0
        self._within: Counter[float] = Counter()

    def count_request(self, method: str, route: str, status: int) -> None:
        with self._lock:
            self._requests[method, route, status] += 1

    def count_picture(self, pixels: int, seconds: float) -> None:
        """A picture was read, painted and encoded in so many seconds."""
        with self._lock:
            self._pictures += 1
            self._pixels += pixels
            self._seconds += seconds
            for bound in _BUCKETS_S:
                self._within[bound] += seconds <= bound

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All of it as text.

        Args:
            gauges: name -> (what it is, its value now).
        """
        with self._lock:
            lines = [
                "# HELP sakuga_requests_total Requests answered.",
                "# TYPE sakuga_requests_total counter",
                *(
                    f'sakuga_requests_total{{method="{method}",route="{route}",status="{status}"}}'
                    f" {count}"
                    for (method, route, status), count in sorted(self._requests.items())
                ),
                "# HELP sakuga_painted_pixels_total Pixels of pictures painted.",
                "# TYPE sakuga_painted_pixels_total counter",
                f"sakuga_painted_pixels_total {self._pixels}",
                "# HELP sakuga_picture_seconds Time to read, paint and encode a picture.",
                "# TYPE sakuga_picture_seconds histogram",
                *(
                    f'sakuga_picture_seconds_bucket{{le="{bound:g}"}} {self._within[bound]}'
                    for bound in _BUCKETS_S
                ),
                f'sakuga_picture_seconds_bucket{{le="+Inf"}} {self._pictures}',
                f"sakuga_picture_seconds_sum {self._seconds:.6f}",
                f"sakuga_picture_seconds_count {self._pictures}",
            ]
        for name, (meaning, value) in gauges.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {value:g}"]
        return "\n".join(lines) + "\n"
