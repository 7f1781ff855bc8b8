"""The style sheet and the scripts of reports."""
