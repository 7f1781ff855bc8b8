"""The templates of reports."""
