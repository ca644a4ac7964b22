"""A migration never changes once it is released; a new one is added instead."""
