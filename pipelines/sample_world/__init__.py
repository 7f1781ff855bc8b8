"""The sample world: small drawn data sets in their owners' formats, for demo, tests and benchmarks.

Every picture is drawn by this package from a seed. None of it is real data.
"""

from pipelines.sample_world.world import SOURCES, write_world

__all__ = ["SOURCES", "write_world"]
