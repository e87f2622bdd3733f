"""The shop: Shopify's Admin GraphQL API 2026-10, executed on Shopify's own schema."""
