"""Networks that others have trained on other series; their weights are brought by the user."""
