"""Real models that messages are tried on: where each comes from, how it is fetched, and inputs for it."""
