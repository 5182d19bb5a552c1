"""Commands: orders to gateways and devices, stored, resent until answered, executed at most once."""
