"""Reading of YAML that is not ours; JSON is valid YAML and can be read too."""

from typing import Any

import yaml

from pipelines.storage import files
from schemas.errors import UsageError

# Errors that PyYAML raises besides `YAMLError`, for example on `2020-13-45`, `!!int ""`,
# `!!timestamp x`, a number of 5,000 digits, or 3,000 nested brackets.
_ODD = (ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)


def read_yaml(path: str, what: str) -> Any:
    """Return the content of a YAML file.

    Args:
        path: the path of the file.
        what: the word for the file in messages, e.g. "recipe".

    Raises:
        UsageError: the file cannot be read, or is not valid YAML.
    """
    try:
        with files.open_read(path) as file:
            return parse_yaml(file.read())
    except OSError as error:
        raise UsageError(f"cannot read the {what} {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"the {what} {path} is neither YAML nor JSON: {error}") from None


def parse_yaml(text: str | bytes) -> Any:
    """Return the content of a text in YAML.

    Raises:
        yaml.YAMLError: it is not valid YAML, or nested too deep; the message is one line.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, *_ODD) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise yaml.YAMLError(reason) from None
