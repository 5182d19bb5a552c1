"""The conventions of the HTTP border: who may call, how a refusal looks, how lists page, how a creation repeats."""
