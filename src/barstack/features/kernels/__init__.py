"""The features themselves, by what they look at."""
