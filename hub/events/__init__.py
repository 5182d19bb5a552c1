"""Events and receipts as devices reported them, each message kept."""
