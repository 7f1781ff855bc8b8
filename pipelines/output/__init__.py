"""The output folder: its lock, its reader, its lists of rejections, and the check after a run."""
