"""Models around another model: one for each ticker, by itself, by transfer, or from one start."""
