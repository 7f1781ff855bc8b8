"""Secrets in texts: keys, tokens and passwords, replaced by `[key]`.

The values of environment variables that are named as keys are secrets, and so is what looks like
one: `Bearer ...`, `sk-...`, `hf_...`, and the password of an address.
"""

import os
import re

from schemas.secret import MASK, secret

_LEAST = 6  # characters: what is shorter may be part of any word
_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)", re.IGNORECASE)
_FORMS = re.compile(
    r"(?P<before>\bBearer\s+|://[^/\s:@]*:(?=[^/\s@]+@))[^\s@'\"]+"
    r"|\b(?:sk-|hf_|ghp_|AKIA|AIza)[\w-]{12,}"
    r"|(?P<name>\b(?:api[_-]?key|access[_-]?token|token|password|sig|AccountKey)="
    r"|--(?:s3_secret_access_key|s3_session_token|azure_connection_string)[= ])[^&\s'\"]+",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """Return a text without the secrets of this process's environment, and what looks like one.

    >>> masked("GET http://joe:open-sesame@gpu:8000/v1")
    'GET http://joe:[key]@gpu:8000/v1'
    """
    for value in _values():
        text = secret(value).masked(text)
    return _FORMS.sub(lambda match: f"{match['before'] or match['name'] or ''}{MASK}", text)


def _values() -> list[str]:
    """Return the values of environment variables that are named as keys, the longest first."""
    values = {
        value for name, value in os.environ.items() if _NAMES.search(name) and len(value) >= _LEAST
    }
    return sorted(values, key=lambda value: (-len(value), value))
