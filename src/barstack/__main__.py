"""`python -m barstack` is `barstack`."""

from .cli import main

main()
