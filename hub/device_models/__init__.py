"""Device models: what a type of device reports, in which units and bounds. A new type is one file, or one POST."""
