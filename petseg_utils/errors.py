"""Errors that a user can cause; each message is one sentence: what was wrong, the value received, what to do."""


class PetsegError(Exception):
    """Base of the errors that the command line prints without a traceback."""

    exit_code = 1


class DataError(PetsegError):
    """Files are missing, damaged or not what their layout promises (exit code 1)."""


class TrainingError(PetsegError):
    """Training cannot go on (exit code 1)."""


class UsageError(PetsegError):
    """A name or a value that the caller chose does not exist or does not fit (exit code 2)."""

    exit_code = 2
