"""Notifications: an alert on its way to the people whose duty it is, with a ledger of every delivery."""
