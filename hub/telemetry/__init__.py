"""The telemetry store: readings and positions of all devices, embedded or on InfluxDB."""
