"""A pretend shop, CRM and mail provider over real HTTP, and the people who use them.

`python -m sandbox --home DIR` starts one server that speaks the protocols of the three vendors:
`/shop` (Shopify Admin GraphQL), `/crm` (HubSpot REST), `/mail` (SendGrid v3), `/sms` (Twilio), `/push`
(web push, RFC 8030) and `/webhook` (a receiver of ours). `/world` moves
the clock: people then browse, buy, open, click and opt out in answer to what was sent to them.
"""
