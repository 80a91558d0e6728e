"""The one error this package raises on purpose."""


class TrainingError(ValueError):
    """Data that no model can be trained on or applied to.

    The message is one line: what arrived, what was expected, what to do.
    """
