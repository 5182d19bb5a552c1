"""The examination of a box, in the order in which a person would look: what comes first explains what follows.

It needs no running agent and disturbs none: the broker is tried with the box's own name only while no agent uses it.
"""

from collections.abc import AsyncIterator
from pathlib import Path

from edge import config as configuration
from edge import standing as standings
from edge.beginning import begin
from edge.doctor.credentials import credentials
from edge.doctor.findings import Finding, fine, wrong
from edge.doctor.looking import agent, clock_of, devices, disk, line, outbox
from edge.doctor.reaching import broker, door, network
from protocol.clock import Clock
from protocol.errors import ConfigurationError


async def examine(file: Path, clock: Clock) -> AsyncIterator[Finding]:
    """Yield what is found with the box of this configuration, one finding after the other."""
    try:
        config = begin(file, counted=False)
        secret = configuration.password(config.hub)
    except ConfigurationError as error:
        for mistake in str(error).splitlines():
            yield wrong("configuration_wrong", mistake=mistake)
        return
    standing = standings.read(config.data)
    lives = standing is not None and standings.is_running(standing)
    yield fine("configuration_fine", file=file, devices=len(config.devices))
    yield disk(config)
    yield clock_of(standing, clock)
    yield agent(standing, clock, lives=lives)
    for finding in credentials(config, clock):
        yield finding
    reached = await network(config)
    yield reached
    if standing is not None and lives:
        yield line(standing)
    elif reached.code == "network_fine":
        yield await broker(config, secret)
    if config.hub.api:
        yield await door(config, secret)
    if standing is not None:
        for finding in (*outbox(standing, clock), *devices(standing)):
            yield finding
