"""The landing zone: what the sources sent, as they sent it, and its typed form."""
