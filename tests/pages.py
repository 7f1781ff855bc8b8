"""What users read: the README and the pages beside it."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in CHECKOUT.glob("docs/*.md")}
ALL = "\n".join([README, *(PAGES[name] for name in sorted(PAGES))])
