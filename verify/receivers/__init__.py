"""One folder a receiver. Receivers are programs of their own: nothing here is imported, only run."""
