"""Models that tell tickers apart: each by itself, from the most alike, or from one start."""
