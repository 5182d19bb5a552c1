"""The hub's HTTP contract and its metrics, from the application itself."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client.metrics import MetricWrapperBase

from hub.app import create_app
from hub.config import HubConfig
from hub.metrics import REGISTRY
from hub.parts import Parts

_HEAD = """\
# Metrics

Generated from the code. `GET /metrics` (scope `metrics:read`) answers in Prometheus's text format. Base units, few
labels, and label values from fixed sets: no gateway and no device is ever a label; ask the API for these.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a hub with default settings."""
    return create_app(cast("Parts", SimpleNamespace(config=HubConfig(data=Path("data"))))).openapi()


def _metrics() -> list[MetricWrapperBase]:
    known = dict.fromkeys(REGISTRY._collector_to_names)  # noqa: SLF001 - as above
    return [each for each in known if isinstance(each, MetricWrapperBase)]


def metrics_page() -> str:
    """Return docs/metrics.md."""
    create_app(cast("Parts", SimpleNamespace(config=HubConfig(data=Path("data")))))  # loads every part's metrics
    rows = []
    for metric in sorted(_metrics(), key=lambda metric: next(iter(metric.describe())).name):
        family = next(iter(metric.describe()))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(metric._labelnames)  # noqa: SLF001 - the library tells them nowhere else
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |\n")
    return _HEAD + "".join(rows)
