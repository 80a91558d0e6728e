"""Mistakes that a user can mend: one line, and an exit code of its own for scripts."""


class UserError(Exception):
    """What arrived, what was expected, what to do: one line on stderr, never a traceback."""

    exit_code = 10


class UnknownAdapter(UserError):
    exit_code = 11


class MissingPackage(UserError):
    """The package or file of an adapter or of an extra is not there."""

    exit_code = 12


class NoRawData(UserError):
    exit_code = 13


class MissingColumn(UserError):
    """No raw file of a table has one of its required columns."""

    exit_code = 14


class UnreadableFile(UserError):
    exit_code = 15


class LakeLocked(UserError):
    """Another process is writing to this home."""

    exit_code = 16


class AsOfBeforeData(UserError):
    exit_code = 17


class NotBuilt(UserError):
    """A step was asked for before the step that it needs."""

    exit_code = 18


class ModelNotTrained(UserError):
    exit_code = 19


class BuildFailed(UserError):
    """dbt ran and at least one model, seed or test failed."""

    exit_code = 20


class BadQuery(UserError):
    exit_code = 21


class TooManyRejected(UserError):
    """More rows of a raw table are in quarantine than max_quarantine_share allows."""

    exit_code = 22


class CannotTrain(UserError):
    """The data hold too little to learn from."""

    exit_code = 23


class CannotScore(UserError):
    """The features or offers hold values that no model takes."""

    exit_code = 40


class NotTheData(UserError):
    """The source of a landing does not hold what its adapter reads."""

    exit_code = 24


class AsOfInFuture(UserError):
    """Nothing can be known as of a date that is still to come."""

    exit_code = 25


class LakeUnreadable(UserError):
    """The catalog or a data file of the lake cannot be read."""

    exit_code = 26


class DiskFull(UserError):
    """A step could not write all that it had to; the lake is as it was before it."""

    exit_code = 27


class OtherCurrency(UserError):
    """The variable `currency` is not what the lake's amounts are told in."""

    exit_code = 42


class UnknownCustomer(UserError):
    """Nothing in the home, or in the features of a date, knows the customer asked for."""

    exit_code = 31


class TracesFound(UserError):
    """An erased person is still named in this home."""

    exit_code = 32


class UnknownModel(UserError):
    """No trained model, or none of that version."""

    exit_code = 41


class CannotMatch(UserError):
    """Too few customer records to learn how those of one person vary."""

    exit_code = 33


class PublishFailed(UserError):
    """At least one feature view did not reach the online store."""

    exit_code = 34


class UnknownFeatures(UserError):
    """A feature service that is not registered, or a key that it is not read by."""

    exit_code = 36


class ServedOtherwise(UserError):
    """Applications were served values that the lake does not give."""

    exit_code = 37


class FeaturesChanged(UserError):
    """A model's features are no longer those that it learnt from."""

    exit_code = 39


class BadEvent(UserError):
    """An event that the raw contract does not know."""

    exit_code = 38


class FeatureDrift(UserError):
    """A feature is distributed otherwise than where the models learnt."""

    exit_code = 35
