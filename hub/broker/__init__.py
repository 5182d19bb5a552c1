"""The broker: the embedded NATS server, or a customer's, and who may say what on it."""
