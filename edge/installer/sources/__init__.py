"""Where devices are looked for: each source yields what it finds as it finds it, and ends by itself.

A source that cannot look at all raises DeviceUnreachableError.
"""
