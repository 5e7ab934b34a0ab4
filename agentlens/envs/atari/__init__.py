"""Everything of Atari: emulator, palette, and what games mean."""
