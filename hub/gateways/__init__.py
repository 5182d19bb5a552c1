"""Gateways: the boxes on site, their credentials, their state as they last said it."""
