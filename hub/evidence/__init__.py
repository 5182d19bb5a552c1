"""Evidence: what a device recorded becomes evidence only when persons reviewed and admitted it (行政处罚法 Art. 41)."""
