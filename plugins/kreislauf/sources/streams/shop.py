"""Shopify: the fields asked for, as its Admin API names them."""

from __future__ import annotations

from kreislauf.sources.streams.model import (
    Column,
    Stream,
    Table,
    flag,
    key,
    moment,
    money,
    personal,
    text,
    whole,
)

SHOP_CUSTOMERS = Stream(
    "shop",
    "customers",
    {
        "shop_customers": Table(
            {
                "customer_id": key(),
                "created_at": moment("$.createdAt"),
                "updated_at": moment("$.updatedAt", required=True),
                "first_name": personal("$.firstName"),
                "last_name": personal("$.lastName"),
                "email": personal("$.defaultEmailAddress.emailAddress"),
                "email_marketing_state": text("$.defaultEmailAddress.marketingState"),
                "email_marketing_opt_in_level": text("$.defaultEmailAddress.marketingOptInLevel"),
                "email_marketing_updated_at": moment("$.defaultEmailAddress.marketingUpdatedAt"),
                "email_valid_format": flag("$.defaultEmailAddress.validFormat"),
                "phone": personal("$.defaultPhoneNumber.phoneNumber"),
                "sms_marketing_state": text("$.defaultPhoneNumber.marketingState"),
                "sms_marketing_opt_in_level": text("$.defaultPhoneNumber.marketingOptInLevel"),
                "sms_marketing_updated_at": moment("$.defaultPhoneNumber.marketingUpdatedAt"),
                "locale": text("$.locale"),
                "address_line": personal("$.defaultAddress.address1"),
                "zip": personal("$.defaultAddress.zip"),
                "city": personal("$.defaultAddress.city"),
                "country_code": text("$.defaultAddress.countryCodeV2"),
            }
        )
    },
)

SHOP_ORDERS = Stream(
    "shop",
    "orders",
    {
        "shop_orders": Table(
            {
                "order_id": key(),
                "order_name": text("$.name"),
                "customer_id": text("$.customer.id"),
                "email": personal("$.email"),
                "created_at": moment("$.createdAt", required=True),
                "processed_at": moment("$.processedAt"),
                "updated_at": moment("$.updatedAt", required=True),
                "cancelled_at": moment("$.cancelledAt"),
                "is_test": flag("$.test"),
                "currency": text("$.currencyCode"),
                "subtotal_amount": money("$.subtotalPriceSet.shopMoney.amount"),
                "discount_amount": money("$.totalDiscountsSet.shopMoney.amount"),
                "shipping_amount": money("$.totalShippingPriceSet.shopMoney.amount"),
                "tax_amount": money("$.totalTaxSet.shopMoney.amount"),
                "total_amount": money("$.totalPriceSet.shopMoney.amount"),
                "refunded_amount": money("$.totalRefundedSet.shopMoney.amount"),
                "discount_codes": Column("$.discountCodes", "JSON_LIST"),
                "financial_status": text("$.displayFinancialStatus"),
                "fulfillment_status": text("$.displayFulfillmentStatus"),
                "tags": Column("$.tags", "JSON_LIST"),
            }
        ),
        "shop_order_lines": Table(
            {
                "order_line_id": key(),
                "order_id": key("$parent.id"),
                "order_updated_at": moment("$parent.updatedAt", required=True),
                "product_id": text("$.product.id"),
                "variant_id": text("$.variant.id"),
                "sku": text("$.sku"),
                "title": text("$.title"),
                "quantity": whole("$.quantity"),
                "current_quantity": whole("$.currentQuantity"),
                "unit_amount": money("$.originalUnitPriceSet.shopMoney.amount"),
                "discount_amount": money("$.totalDiscountSet.shopMoney.amount"),
            },
            explode="$.lineItems.nodes",
        ),
        "shop_fulfillments": Table(
            {
                "fulfillment_id": key(),
                "order_id": key("$parent.id"),
                "order_updated_at": moment("$parent.updatedAt", required=True),
                "created_at": moment("$.createdAt"),
                "delivered_at": moment("$.deliveredAt"),
                "status": text("$.status"),
            },
            explode="$.fulfillments",
        ),
    },
)

SHOP_REFUNDS = Stream(
    "shop",
    "refunds",
    {
        # One record is one refund with `order { id updatedAt }` and its lines.
        "shop_refunds": Table(
            {
                "refund_id": key(),
                "order_id": key("$.order.id"),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "refunded_amount": money("$.totalRefundedSet.shopMoney.amount"),
                "note": text("$.note"),
            }
        ),
        "shop_refund_lines": Table(
            {
                "refund_line_id": key(),
                "refund_id": key("$parent.id"),
                "refund_updated_at": moment("$parent.updatedAt", required=True),
                "order_line_id": text("$.lineItem.id"),
                "quantity": whole("$.quantity"),
                "refunded_amount": money("$.subtotalSet.shopMoney.amount"),
            },
            explode="$.refundLineItems.nodes",
        ),
    },
)

SHOP_PRODUCTS = Stream(
    "shop",
    "products",
    {
        "shop_products": Table(
            {
                "product_id": key(),
                "title": text("$.title"),
                "product_type": text("$.productType"),
                "vendor": text("$.vendor"),
                "status": text("$.status"),
                "handle": text("$.handle"),
                "created_at": moment("$.createdAt"),
                "updated_at": moment("$.updatedAt", required=True),
                "url": text("$.onlineStoreUrl"),
                "image_url": text("$.featuredMedia.preview.image.url"),
                "unit_amount": money("$.priceRangeV2.minVariantPrice.amount"),
                "stock_quantity": whole("$.totalInventory"),
                "tracks_stock": flag("$.tracksInventory"),
                # Shopify's standard metafields for reviews; graphql.py says which.
                "rating": text("$.rating.value"),
                "rating_count": whole("$.ratingCount.value"),
                "tags": Column("$.tags", "JSON_LIST"),
            }
        )
    },
)

SHOP_CHECKOUTS = Stream(
    "shop",
    "abandoned_checkouts",
    {
        "shop_checkouts": Table(
            {
                "checkout_id": key(),
                "created_at": moment("$.createdAt", required=True),
                "updated_at": moment("$.updatedAt", required=True),
                "completed_at": moment("$.completedAt"),
                "customer_id": text("$.customer.id"),
                "email": personal("$.customer.defaultEmailAddress.emailAddress"),
                "url": personal("$.abandonedCheckoutUrl"),
                "currency": text("$.totalPriceSet.shopMoney.currencyCode"),
                "total_amount": money("$.totalPriceSet.shopMoney.amount"),
            }
        ),
        "shop_checkout_lines": Table(
            {
                "checkout_line_id": key(),
                "checkout_id": key("$parent.id"),
                "checkout_updated_at": moment("$parent.updatedAt", required=True),
                "product_id": text("$.product.id"),
                "variant_id": text("$.variant.id"),
                "title": text("$.title"),
                "quantity": whole("$.quantity"),
                "unit_amount": money("$.originalUnitPriceSet.shopMoney.amount"),
                "image_url": text("$.image.url"),
            },
            explode="$.lineItems.nodes",
        ),
    },
)
