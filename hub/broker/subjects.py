"""MQTT topics as NATS subjects and back: the mapping of the NATS server, which uses dots where MQTT uses slashes."""


def subject(topic: str) -> str:
    """Return the subject of a topic that this project spells: its levels hold no dots and none is empty."""
    return topic.replace("/", ".")


def topic(subject: str) -> str:
    """Return the topic that a gateway published to.

    The server writes a dot inside a level as `//` and an empty level as `/`; both come back well enough to be shown.
    """
    if "/" not in subject:
        return subject.replace(".", "/")
    levels = subject.replace("//", "\0").split(".")
    return "/".join("" if level == "/" else level.replace("\0", ".").strip("/") for level in levels)
