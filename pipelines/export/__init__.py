"""Export: a build in the formats of other trainers and tools."""

from pipelines.export.formats import FORMATS
from pipelines.export.run import export_build

__all__ = ["FORMATS", "export_build"]
