"""The page on the box that leads an installer with a phone: enrol, devices, place, check, certificate; and mend."""
