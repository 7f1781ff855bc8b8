"""An output as a whole: lock, reader, list of rejections, and the check at the end of a run."""
