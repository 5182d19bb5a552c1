"""Unit grids: polygons that cover the district without overlap or gap."""
