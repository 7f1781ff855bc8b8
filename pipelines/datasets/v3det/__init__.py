"""The data set V3Det."""
