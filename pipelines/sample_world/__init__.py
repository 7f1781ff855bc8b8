"""The sample world: small generated data sets in the owners' formats, for demos, tests, benchmarks.

Every picture is drawn by this package from a seed. None of it is real data.
"""

from pipelines.sample_world.world import SOURCES, write_world

__all__ = ["SOURCES", "write_world"]
