"""The demonstration: a sample district on this machine, with devices that speak real bytes."""
