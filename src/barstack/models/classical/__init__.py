"""Models with a closed form or a short history."""
