"""A pretend CRM that speaks HubSpot's REST API, date version 2026-09."""
