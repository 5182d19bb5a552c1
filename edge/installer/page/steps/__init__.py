"""The steps of the page, a module each: what is shown, and what is done when somebody presses a button."""
