"""Parts: outputs that are united from others, or taken out of them, without the owners' files."""
