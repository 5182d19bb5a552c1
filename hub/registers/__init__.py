"""The legal register of recording devices: purpose, basis, review, sign, published place, zones, filing, retention."""
