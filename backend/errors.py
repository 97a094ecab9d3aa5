"""What can go wrong through the user's input, in words the user can act on."""


class UserError(Exception):
    """A mistake that the user can mend; pages and the command line show it as it is.

    Parameters
    ----------
    what : the offending value and what is wrong with it, one sentence.
    remedy : what to do about it, one sentence.
    """

    def __init__(self, what: str, remedy: str = ""):
        self.what, self.remedy = what, remedy
        super().__init__(f"{what} {remedy}".strip())

    def __reduce__(self):
        return type(self), (self.what, self.remedy)


class ModelError(UserError):
    """A model cannot be found, opened, or lacks what was asked of it."""


class DataError(UserError):
    """A data file cannot be read as what it claims to be."""


class CaptureError(UserError):
    """A capture was asked for that the model or the data cannot give."""


class StoreError(UserError):
    """The store is locked, too new, damaged or full."""


class AnalysisError(UserError):
    """An analysis was asked for with parameters or inputs that it cannot take."""


class Cancelled(Exception):
    """The user stopped the work; what was finished before is kept."""
