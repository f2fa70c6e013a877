"""The board and the address for programs: what is in Production, what it expects, and how it has done."""
