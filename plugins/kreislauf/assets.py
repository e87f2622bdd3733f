"""The assets by which DAGs hand on to each other. Each event carries `extra={"as_of": "…Z"}`."""

from __future__ import annotations

from airflow.sdk import Asset

RAW_SHOP = Asset("raw.shop", uri="kreislauf://raw/shop")
RAW_CRM = Asset("raw.crm", uri="kreislauf://raw/crm")
RAW_ENGAGEMENT = Asset("raw.engagement", uri="kreislauf://raw/engagement")
RAW_FILES = Asset("raw.files", uri="kreislauf://raw/files")

PUBLISHED = Asset("warehouse.published", uri="kreislauf://warehouse/published")
"""A new build can be read. Its events also carry `build_id`."""
