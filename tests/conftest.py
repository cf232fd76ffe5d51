"""Settings of this folder; hook, options and seeds are in the conftest.py of the root."""

# Notebooks below tests/ are broken on purpose: only the tests that name them may run them.
collect_ignore_glob = ["*.ipynb"]
