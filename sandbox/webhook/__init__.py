"""A pretend receiver of our webhooks: it checks signatures and takes each message once."""
