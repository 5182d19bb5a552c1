"""Who may use the hub: API keys with scopes, and the sessions of people who logged in with one."""
