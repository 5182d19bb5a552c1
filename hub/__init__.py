"""The hub: takes what gateways report, commits it, finds what is wrong, and tells the people whose duty it is."""
