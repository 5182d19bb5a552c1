"""The wire contract: what gateways and hub say to each other, and nothing else."""
