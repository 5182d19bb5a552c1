# The agent of a box with every driver. Build from the root of the tree: docker build -f docker/edge.Dockerfile .
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements/edge.lock requirements/edge.lock
RUN python -m venv /opt/diwang \
    && /opt/diwang/bin/pip install --no-cache-dir --require-hashes -r requirements/edge.lock
COPY . .
RUN /opt/diwang/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Diwang edge agent" org.opencontainers.image.licenses="Apache-2.0"
# The fonts of printed records. Debian's stable release fixes their version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 diwang \
    && useradd --system --uid 10001 --gid diwang --groups dialout,video --no-create-home --shell /usr/sbin/nologin diwang \
    && install -d -o diwang -g diwang -m 0700 /var/lib/diwang-edge
COPY --from=build /opt/diwang /opt/diwang
USER 10001:10001
VOLUME /var/lib/diwang-edge
# SIGTERM is a clean stop: devices are closed, what they say is kept, the hub hears that the box is off.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/diwang/bin/diwang", "edge"]
CMD ["run", "--config", "/etc/diwang/site.toml"]
