"""All metrics of the hub. Few, in base units; label values come from fixed sets, so no device or gateway is a label."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
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

INGEST_DROPPED = Counter(
    "hub_ingest_dropped_messages_total",
    "Messages not taken and not acknowledged; gateways send them again",
    ["why"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter("hub_dead_letters_total", "Messages, records and values that cannot be used", registry=REGISTRY)
INGEST_SECONDS = Histogram(
    "hub_ingest_seconds",
    "From the receipt of a message to its acknowledgement",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 2, 10),
    registry=REGISTRY,
)
INGEST_GROUP = Histogram(
    "hub_ingest_group_messages", "Messages committed together", buckets=(1, 10, 50, 100, 200, 500), registry=REGISTRY
)
MISSING_BATCHES = Gauge("hub_missing_batches", "Batches whose sequence numbers were skipped", registry=REGISTRY)

ANOMALIES = Counter("hub_anomalies_total", "Anomalies found, by type", ["type"], registry=REGISTRY)
OPEN_ALERTS = Gauge("hub_alerts_open", "Alerts that nobody has closed, by severity", ["severity"], registry=REGISTRY)
