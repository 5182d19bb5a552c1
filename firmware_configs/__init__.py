"""What is known of device models: one TOML file a model, in a folder per family, with a type that checks it."""
