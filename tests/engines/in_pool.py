"""A build whose workers are of another environment: the same bytes as a build of this one.

    python -m tests.engines.in_pool FOLDER_OF_PROGRAMS

Only Beam's own services run in this environment; the pool starts the `python` of that folder, away
from the checkout.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from pipelines.sample_world import write_world
from tests.engines.compare import build_words, digests_of
from tests.engines.engines import Engine, started


def main() -> int:
    """Build in this process and in the pool; return 1 where the bytes differ."""
    with tempfile.TemporaryDirectory(prefix="regionforge-pool-") as name:
        folder = Path(name)
        write_world(folder / "world", "small")
        near, far = folder / "near", folder / "far"
        subprocess.run(build_words(folder / "world", near, Engine(())), check=True)
        with started("job service, pool", folder, Path(sys.argv[1])) as engine:
            subprocess.run(build_words(folder / "world", far, engine), check=True)
        expected, made = digests_of(near), digests_of(far)
        same = sum(made.get(path) == digest for path, digest in expected.items())
        print(f"identical files of a pool of {sys.argv[1]}: {same} of {len(expected)}")
        return 1 if made != expected else 0


if __name__ == "__main__":
    sys.exit(main())
