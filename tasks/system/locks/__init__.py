"""The two kinds of locks that `tasks.system.lock` chooses from: in a state directory, or in a database."""
