"""Export: a build in the formats of other trainers and tools."""
