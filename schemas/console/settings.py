"""What the flags of a command line say about its output, for all modules that print."""

from dataclasses import dataclass

from schemas.console.log_file import LogFile


@dataclass
class Settings:
    """How much is printed, and where else."""

    quiet: bool = False
    verbose: bool = False
    json: bool = False
    log: LogFile | None = None


SETTINGS = Settings()  # of this process; `schemas.console.flags` sets it for one command
