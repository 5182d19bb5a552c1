"""The organisation: units, officers, and the roster that says who is on duty in which grid."""
