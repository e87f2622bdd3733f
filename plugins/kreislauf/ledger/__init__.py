"""What was decided, and what happened to it. Never rebuilt, never guessed."""
