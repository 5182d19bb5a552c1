"""All metrics of the hub. Few, in base units; label values come from fixed sets, so no device or gateway is a label."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

REQUESTS = Counter("hub_http_requests_total", "HTTP requests answered", ["method", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "hub_http_request_seconds",
    "From the request to the start of the answer",
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10),
    registry=REGISTRY,
)
