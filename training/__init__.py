"""Training: pure functions from frames and arrays to models and figures."""
