"""The words that people read, in Chinese and English: one catalogue for pages, scripts and notifications."""
