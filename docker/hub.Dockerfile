# The hub with its embedded broker and stores. Build from the root of the tree: docker build -f docker/hub.Dockerfile .
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements/hub.lock requirements/hub.lock
RUN python -m venv /opt/diwang \
    && /opt/diwang/bin/pip install --no-cache-dir --require-hashes -r requirements/hub.lock
COPY . .
RUN /opt/diwang/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Diwang hub" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 diwang \
    && useradd --system --uid 10001 --gid diwang --no-create-home --shell /usr/sbin/nologin diwang \
    && install -d -o diwang -g diwang -m 0700 /var/lib/diwang-hub
COPY --from=build /opt/diwang /opt/diwang
USER 10001:10001
VOLUME /var/lib/diwang-hub
EXPOSE 8080 8443 1883 8883
# SIGTERM is for the hub; it stops its broker itself.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/diwang/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["/opt/diwang/bin/diwang", "hub"]
CMD ["run", "--data", "/var/lib/diwang-hub", "--config", "/etc/diwang/hub.toml"]
