"""Where data comes from: the shop, the CRM, inbox folders and our own ledger."""
