"""Device drivers: each knows one kind of device and nothing of MQTT, of the outbox or of the hub."""
