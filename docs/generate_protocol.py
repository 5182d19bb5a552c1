"""The wire contract as a page for people and as an AsyncAPI 3 document, both from the types in `protocol/`."""

import inspect
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import msgspec

import protocol
from protocol import topics
from protocol.documents import (
    Check,
    Checklist,
    Column,
    Document,
    Paragraph,
    PrintOrder,
    Qr,
    Rule,
    Signature,
    Spacer,
    Table,
    Title,
)
from protocol.messages import (
    MAX_MESSAGE_BYTES,
    MAX_RECORDS,
    Ack,
    Batch,
    Command,
    DeviceStatus,
    Event,
    OutboxStatus,
    Position,
    Reading,
    Receipt,
    Refusal,
    Reply,
    State,
)

EXAMPLES = Path(protocol.__file__).parent / "schemas" / "v1"
GATEWAY = "<gateway>"
MESSAGES: dict[type[msgspec.Struct], str | None] = {
    State: "state",
    DeviceStatus: None,
    OutboxStatus: None,
    Batch: "batch",
    Reading: None,
    Position: None,
    Event: None,
    Receipt: None,
    Ack: "ack",
    Refusal: None,
    Command: "command",
    Reply: "reply",
    PrintOrder: None,
    Document: "document",
    **dict.fromkeys((Title, Paragraph, Table, Column, Checklist, Check, Qr, Signature, Rule, Spacer)),
}
BLOCKS = (Title, Paragraph, Table, Checklist, Qr, Signature, Rule, Spacer)
MEANINGS = {
    "device": "name of the device on its gateway, a topic level",
    "at": "when it happened, by the device's clock",
    "kind": "the tag of the record",
    "values": "name -> number, true/false or text",
    "gateway": "id of the gateway, the same as in the topic",
    "epoch": "the enrolment, a random UUID",
    "seq": "counts the batches of the epoch, from 1",
    "sent_at": "when the batch was made",
    "records": "the records",
    "online": "whether the gateway is there",
    "agent": "version of the gateway's program",
    "config": "id of the applied configuration",
    "devices": "one line a device",
    "outbox": "what waits on the box",
    "type": "dotted name of what happened, such as camera.covered",
    "severity": "info, minor, major or critical",
    "state": "began, ongoing, ended or instant",
    "score": "0 to 1, how sure the detector is",
    "data": "details",
    "images": "SHA-256 digests of pictures",
    "clip": "stretch of footage that shows it: `from`, `to`",
    "job": "id of the job",
    "result": "what became of it",
    "detail": "in plain words",
    "batches": "ids of batches that are committed",
    "refused": "what must not be sent again, and why",
    "hub_at": "the hub's wall time",
    "name": "what to do",
    "args": "arguments of the command",
    "expires_at": "after this, do nothing",
    "driver": "name of the driver",
    "status": "ok, degraded, lost or stopped",
    "since": "when this status began",
    "reason": "why",
    "latitude": "degrees north",
    "longitude": "degrees east",
    "altitude_m": "metres above sea level",
    "speed_mps": "metres per second over ground",
    "course_deg": "degrees from true north",
    "hdop": "horizontal dilution of precision",
    "satellites": "satellites used",
    "quality": "GGA fix quality: 1 GPS, 2 differential, 3 PPS, 4 RTK, 5 float RTK, 9 maker's own",
    "sigma_m": "the receiver's own horizontal error, one standard deviation",
    "cn0_mean_db": "mean signal strength, dB-Hz",
    "cn0_spread_db": "spread of signal strengths, dB",
    "flags": "what was corrected or is doubted",
    "oldest_at": "time of the oldest record that waits",
    "bytes_free": "free bytes on the box",
    "dropped": "telemetry records dropped for room since enrolment",
    "quarantined": "batches that the hub refused",
    "document": "what to print",
    "copies": "how often",
    "language": "language of the words that the printer's driver adds, such as those of verdicts",
    "log": "id of the supervision log; a QR code of the document must contain it",
    "blocks": "what stands on the paper, from top to bottom",
    "text": "what is written",
    "align": "left, centre or right",
    "size": "small, normal or large",
    "bold": "whether the letters are heavy",
    "columns": "the columns, from left to right",
    "rows": "the cells of each row, one for each column",
    "heading": "what stands above the column",
    "share": "part of the width; 0 is as wide as its text",
    "items": "the items, in their order",
    "number": "the item's number on its checklist",
    "item": "what was looked at",
    "verdict": "conform, not_conform or not_applicable",
    "article": "the article that it rests on",
    "note": "what else there is to say",
    "key": "whether the item is a key item",
    "caption": "what stands below it",
    "label": "who signs",
    "image": "the signature: PNG of 1-bit grey, at most 1200 x 600 dots, in base64; null leaves room for a pen",
    "dashed": "whether the line is broken",
    "millimetres": "height of the white",
}
OWN_MEANINGS: dict[tuple[type[msgspec.Struct], str], str] = {
    **{(block, "kind"): "the tag of the block" for block in BLOCKS},
    (Batch, "id"): "UUID, version 7",
    (Event, "id"): "UUID, shared by the messages of one happening",
    (Command, "id"): "UUID",
    (Reply, "id"): "the command's",
    (Refusal, "id"): "the batch's, or the digest of an image",
    (State, "at"): "when it was said, by the gateway's clock",
    (Reply, "at"): "when it was done, by the gateway's clock",
    (OutboxStatus, "records"): "how many records wait",
    (Title, "level"): "1 for the document, 2 for a section",
    (Document, "type"): "record, notice, certificate or other",
    (Command, "device"): "whom it is for; null is the gateway itself",
}


class Channel(NamedTuple):
    """A topic of the contract."""

    name: str
    address: str
    sender: str
    qos: str
    payload: str
    message: type[msgspec.Struct] | None


CHANNELS = (
    Channel("state", topics.state(GATEWAY), "gateway (and its last will)", "1, retained", "`State`", State),
    Channel("batch", topics.batch(GATEWAY), "gateway", "1", "`Batch`", Batch),
    Channel(
        "image",
        topics.image(GATEWAY, "<sha256>"),
        "gateway",
        "1",
        f"JPEG or WebP bytes, at most {MAX_MESSAGE_BYTES // 1024} KiB",
        None,
    ),
    Channel("reply", topics.reply(GATEWAY), "gateway", "1", "`Reply`", Reply),
    Channel("ack", topics.ack(GATEWAY), "hub", "1", "`Ack`", Ack),
    Channel("command", topics.command(GATEWAY), "hub", "1", "`Command`", Command),
)


def page() -> str:
    """Return docs/protocol.md."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - it writes Markdown from our own words
    )
    schemas = _schemas()
    rendered = environment.get_template("protocol.md.jinja").render(
        root=topics.ROOT,
        channels=CHANNELS,
        max_bytes=MAX_MESSAGE_BYTES,
        max_records=MAX_RECORDS,
        messages=[_described(kind, example, schemas) for kind, example in MESSAGES.items()],
    )
    return rendered.rstrip() + "\n"


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document."""
    parameters = {"gateway": {"description": "Gateway id = MQTT client id = user name"}}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for channel in CHANNELS:
        message = channel.message.__name__ if channel.message else "Image"
        channels[channel.name] = {
            "address": channel.address.replace("<", "{").replace(">", "}"),
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            "parameters": parameters
            | ({"sha256": {"description": "SHA-256 of the bytes"}} if not channel.message else {}),
        }
        operations[channel.name] = {
            "action": "send" if channel.sender.startswith("gateway") else "receive",
            "channel": {"$ref": f"#/channels/{channel.name}"},
            "bindings": {"mqtt": {"qos": 1, "retain": "retained" in channel.qos}},
        }
    messages: dict[str, Any] = {
        channel.message.__name__: {
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{channel.message.__name__}"},
        }
        for channel in CHANNELS
        if channel.message
    }
    messages["Image"] = {"contentType": "image/jpeg", "payload": {"type": "string", "format": "binary"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Diwang wire contract",
            "version": "1",
            "description": "Seen from the gateway: it sends on `up`, it receives on `down`. See protocol.md.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": _schemas()},
    }


def _schemas() -> dict[str, Any]:
    return msgspec.json.schema_components(list(MESSAGES), ref_template="#/components/schemas/{name}")[1]


def _described(kind: type[msgspec.Struct], example: str | None, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = schemas[kind.__name__]
    required = set(schema.get("required", ()))
    fields = []
    for name, field in schema["properties"].items():
        meaning = OWN_MEANINGS.get((kind, name)) or MEANINGS[name]
        fields.append({"name": name, "type": _type(field), "required": name in required, "meaning": meaning})
    text = (EXAMPLES / f"{example}.json").read_text(encoding="utf-8").strip() if example else ""
    summary = " ".join((inspect.getdoc(kind) or "").split())
    return {"name": kind.__name__, "summary": summary, "fields": fields, "example": text}


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"])
    if "$ref" in field:
        return f"`{field['$ref'].rsplit('/', 1)[-1]}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    limits = [f">= {field['minimum']}"] if "minimum" in field else []
    limits += [f"<= {field['maximum']}"] if "maximum" in field else []
    limits += [f"at most {field['maxLength']} characters"] if "maxLength" in field else []
    name = {"date-time": "time", "uuid": "UUID"}.get(field.get("format", ""), field.get("type", "any"))
    return f"{name} ({', '.join(limits)})" if limits else str(name)
