"""The command `tomorrow`: what it is asked, and what it answers."""
