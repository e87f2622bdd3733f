"""The people of the sandbox: who they are, and what they do when time passes."""
