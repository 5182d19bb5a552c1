"""The web: the command-centre page, in Chinese and English, without anything from outside."""
