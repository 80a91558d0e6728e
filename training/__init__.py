"""Training: pure functions from frames and arrays to models and figures."""

import os

# LightGBM's threads wait for each other by spinning, unless told otherwise before it is imported: on a machine that has
# other work they take each other's processors, and training slows down.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
