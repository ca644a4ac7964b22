"""Times, errors, specs, names, seeds and progress: the words every other room uses."""
