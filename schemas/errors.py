"""The errors that a user can cause and correct.

    RegionForgeError            any error below; the command line prints it without a traceback
    ├── UsageError              a flag or a path is wrong
    ├── InputFileError          a file that is read cannot be used as a whole
    │   ├── OtherSchemaError    an output is of another schema version
    │   └── NoOutputError       a folder that is named holds no output: a UsageError, too
    ├── BuildError              a build cannot go on, or ended incomplete
    └── VerifyError             an output is not what its manifest says

Every message names the failure, the file or item, the expected value and the remedy.
"""


class RegionForgeError(Exception):
    """Base of all errors whose message is meant for the user."""


class UsageError(RegionForgeError):
    """A flag, a combination of flags, or a path that cannot be used."""


class InputFileError(RegionForgeError):
    """A file of an owner or of an output that cannot be read in its format."""


class OtherSchemaError(InputFileError):
    """An output whose records are of another schema version than this program's."""


class NoOutputError(InputFileError, UsageError):
    """A folder, named as that of an output, in which there is none."""


class BuildError(RegionForgeError):
    """A build that cannot start, has lost a worker, or does not balance."""


class VerifyError(RegionForgeError):
    """An output that cannot be verified, because the manifest is missing or unreadable."""
