"""`make bench-static`: both stages of both 7B presets, proved fast on a CPU.

    python -m bench.static [--case NAME] [--only collectives|graphs|saved|memory|step]

The exit status is 1 where a bar is missed. Nothing is as large as it looks: tensors are fake, or
on the meta device, or of small models of the same classes. It takes minutes on two cores.
"""

import argparse
import sys
import time

from bench.static.cases import CASES, case_named
from bench.static.proofs import PROOFS


def main() -> int:
    """Print the proofs, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=CASES, help="repeatable")
    parser.add_argument("--only", action="append", choices=sorted(PROOFS), help="repeatable")
    args = parser.parse_args()
    missed = 0
    for name in args.case or CASES:
        print(f"\n{name}", flush=True)
        for proof in args.only or PROOFS:
            begun = time.process_time()
            for line in PROOFS[proof](case_named(name)):
                print(line, flush=True)
                missed += not line.holds
            print(f"  ({proof}: {time.process_time() - begun:.0f} processor seconds)", flush=True)
    print(f"\n{missed} bars missed" if missed else "\nall bars hold")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
