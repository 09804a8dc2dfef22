"""The errors that users see: what was given, what is allowed, what to do next."""


class RecommenderError(Exception):
    """The root of every error that this project raises on purpose."""

    exit_code = 1


class BadInput(RecommenderError, ValueError):
    """The command, the requirement or the data cannot be used as given."""

    exit_code = 2


class NotFound(RecommenderError, LookupError):
    """A file, a model, a column or a plug-in that was named does not exist."""

    exit_code = 2


class MissingExtra(RecommenderError, ImportError):
    """A library of an optional extra is not installed; the message holds the install line."""

    exit_code = 2


class AccessRequired(RecommenderError, PermissionError):
    """A model that the user named is gated or private; the message says where to ask."""

    exit_code = 4


class SourceUnavailable(RecommenderError, ConnectionError):
    """A place where models are listed does not answer, or not as it should."""


class StoreError(RecommenderError, OSError):
    """A store on disk cannot be opened, is of a newer schema, or is damaged."""
