"""An output as a whole: its lock, its readers, its rejections, and how a run of it ends."""
