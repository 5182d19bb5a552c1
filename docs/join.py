"""A whole gateway, from docs/protocol.md alone. Run: python join.py HOST PORT GATEWAY PASSWORD TEMPERATURE."""

import json
import sys
import threading
import uuid
from datetime import UTC, datetime

import paho.mqtt.client as mqtt

host, port, gateway, password, temperature = sys.argv[1:]
epoch, batch_id = str(uuid.uuid4()), str(uuid.uuid4())
acknowledged = threading.Event()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def on_message(client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
    if batch_id in json.loads(message.payload)["batches"]:
        acknowledged.set()


state = {"gateway": gateway, "epoch": epoch, "at": now(), "agent": "join.py"}
reading = {"kind": "reading", "device": "fridge-1", "at": now(), "values": {"temperature_c": float(temperature)}}
batch = {"id": batch_id, "gateway": gateway, "epoch": epoch, "seq": 1, "sent_at": now(), "records": [reading]}
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=gateway, protocol=mqtt.MQTTv311)
client.username_pw_set(gateway, password)
client.will_set(f"diwang/v1/{gateway}/up/state", json.dumps({**state, "online": False}), qos=1, retain=True)
client.on_message = on_message
client.on_connect = lambda client, *_: client.subscribe(f"diwang/v1/{gateway}/down/ack", qos=1)
client.connect(host, int(port))
client.loop_start()
client.publish(f"diwang/v1/{gateway}/up/state", json.dumps({**state, "online": True}), qos=1, retain=True)
for _ in range(10):  # at least once, unchanged, until the hub says that it has it
    client.publish(f"diwang/v1/{gateway}/up/batch", json.dumps(batch), qos=1)
    if acknowledged.wait(timeout=3):
        break
client.disconnect()
sys.exit(0 if acknowledged.is_set() else "the hub did not acknowledge the batch")
