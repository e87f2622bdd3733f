"""The small public web app: what the mail provider and the readers of mails call."""
