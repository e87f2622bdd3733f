"""The fields of the shop's objects: for each type of Shopify's schema, what a row answers.

`FIELDS` holds plain values and single objects, `CHILDREN` the connections and lists of rows below
a row. A field of the schema that stands in neither is not modelled, and asking for it is an error
that says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.shop.graph import Row, cursor

Fields = dict[str, Callable[[Row], Any]]


def money_bag(amount: str, currency: str) -> dict[str, Any]:
    money = {"amount": amount, "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": money}


def split(text: str) -> list[str]:
    return text.split(", ") if text else []


def gid(row: Row) -> str:
    return f"gid://shopify/{row.group.kind}/{row['id']}"


def legacy_id(row: Row) -> str:
    return str(row["id"])


def column(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name]


def bag(name: str, currency: Callable[[Row], str] = lambda row: row["currency"]) -> Callable[[Row], Any]:
    return lambda row: money_bag(row[name], currency(row))


def times(unit: str, quantity: int) -> str:
    return str(Decimal(unit) * quantity)


COMMON: Fields = {
    "id": gid,
    "legacyResourceId": legacy_id,
    "createdAt": column("created_at"),
    "updatedAt": column("updated_at"),
}


# -------------------------------------------------------------------------------- customers


def email_address(row: Row) -> dict[str, Any] | None:
    if row["email"] is None:
        return None
    unsubscribe = f"{row.context.base_url}/account/{row['id']}/unsubscribe"
    return {
        "emailAddress": row["email"],
        "marketingState": row["marketing_state"],
        "marketingOptInLevel": row["opt_in_level"],
        "marketingUpdatedAt": row["marketing_updated_at"],
        "marketingUnsubscribeUrl": unsubscribe,
        "openTrackingLevel": "UNKNOWN",
        "openTrackingUrl": f"{row.context.base_url}/account/{row['id']}/tracking",
        "validFormat": bool(row["valid_format"]),
    }


def phone_number(row: Row) -> dict[str, Any] | None:
    if row["phone"] is None:
        return None
    return {
        "phoneNumber": row["phone"],
        "marketingState": row["sms_state"],
        "marketingOptInLevel": "SINGLE_OPT_IN" if row["sms_updated_at"] else None,
        "marketingUpdatedAt": row["sms_updated_at"],
    }


def address(row: Row) -> dict[str, Any] | None:
    if row["country"] is None:
        return None
    return {
        "id": f"gid://shopify/MailingAddress/{row['id']}?model_name=CustomerAddress",
        "address1": row["address1"],
        "address2": None,
        "zip": row["zip"],
        "city": row["city"],
        "countryCodeV2": row["country"],
        "firstName": row["first_name"],
        "lastName": row["last_name"],
        "phone": row["phone"],
    }


def spent(row: Row) -> dict[str, Any]:
    orders = [order for order in row.many("Order", "customer_id") if not order["test"]]
    amount = sum((Decimal(order["total"]) - Decimal(order["refunded"]) for order in orders), Decimal("0.00"))
    return {"amount": str(amount), "currencyCode": orders[0]["currency"] if orders else "EUR"}


CUSTOMER: Fields = {
    **COMMON,
    "firstName": column("first_name"),
    "lastName": column("last_name"),
    "displayName": lambda row: (
        " ".join(filter(None, (row["first_name"], row["last_name"]))) or row["email"] or ""
    ),
    "defaultEmailAddress": email_address,
    "defaultPhoneNumber": phone_number,
    "defaultAddress": address,
    "locale": column("locale"),
    "tags": lambda row: split(row["tags"]),
    "note": lambda row: None,
    "state": lambda row: "ENABLED",
    "verifiedEmail": lambda row: bool(row["valid_format"]),
    "numberOfOrders": lambda row: str(len(row.many("Order", "customer_id"))),
    "amountSpent": spent,
    "email": column("email"),
    "phone": column("phone"),
}


# --------------------------------------------------------------------- products and variants


def product_url(row: Row) -> str | None:
    return f"{row.context.base_url}/products/{row['handle']}" if row["status"] == "ACTIVE" else None


def image(row: Row) -> dict[str, Any] | None:
    if row["image"] is None:
        return None
    return {
        "id": f"gid://shopify/ProductImage/{row['id']}",
        "url": f"{row.context.base_url}{row['image']}",
        "altText": row["title"],
        "width": 600,
        "height": 600,
    }


def media(row: Row) -> dict[str, Any] | None:
    picture = image(row)
    if picture is None:
        return None
    preview = {"image": picture, "status": "READY"}
    return {
        "__typename": "MediaImage",
        "id": f"gid://shopify/MediaImage/{row['id']}",
        "alt": row["title"],
        "preview": preview,
        "image": picture,
        "mediaContentType": "IMAGE",
        "status": "READY",
    }


def price(row: Row) -> dict[str, Any]:
    return {"amount": row["price"], "currencyCode": row.context.currency}


def metafield(row: Row, namespace: str | None = None, key: str = "") -> dict[str, Any] | None:
    """Shopify's standard metafields `reviews.rating` and `reviews.rating_count`; there are no others."""
    if namespace != "reviews" or row["rating"] is None or key not in {"rating", "rating_count"}:
        return None
    rating = json.dumps({"value": row["rating"], "scale_min": "1.0", "scale_max": "5.0"})
    value, type_ = (rating, "rating") if key == "rating" else (str(row["rating_count"]), "number_integer")
    return {"namespace": namespace, "key": key, "value": value, "type": type_}


PRODUCT: Fields = {
    **COMMON,
    "title": column("title"),
    "productType": column("product_type"),
    "vendor": column("vendor"),
    "status": column("status"),
    "handle": column("handle"),
    "description": column("description"),
    "descriptionHtml": lambda row: f"<p>{row['description']}</p>",
    "publishedAt": lambda row: row["created_at"] if row["status"] == "ACTIVE" else None,
    "onlineStoreUrl": product_url,
    "featuredMedia": media,
    "priceRangeV2": lambda row: {"minVariantPrice": price(row), "maxVariantPrice": price(row)},
    "tags": lambda row: split(row["tags"]),
    "totalInventory": column("inventory"),
    "tracksInventory": lambda row: True,
}

VARIANT: Fields = {
    **COMMON,
    "title": lambda row: "Default Title",
    "displayName": column("title"),
    "sku": column("sku"),
    "price": column("price"),
    "image": image,
    "product": lambda row: row.one("Product", "id"),
}


# ------------------------------------------------------------------------ orders and refunds

ORDER: Fields = {
    **COMMON,
    "name": column("name"),
    "email": column("email"),
    "customer": lambda row: row.one("Customer", "customer_id"),
    "processedAt": column("processed_at"),
    "cancelledAt": column("cancelled_at"),
    "cancelReason": lambda row: "CUSTOMER" if row["cancelled_at"] else None,
    "test": lambda row: bool(row["test"]),
    "currencyCode": column("currency"),
    "presentmentCurrencyCode": column("currency"),
    "subtotalPriceSet": bag("subtotal"),
    "totalDiscountsSet": bag("discounts"),
    "totalShippingPriceSet": bag("shipping"),
    "totalTaxSet": bag("tax"),
    "totalPriceSet": bag("total"),
    "totalRefundedSet": bag("refunded"),
    "currentTotalPriceSet": lambda row: money_bag(
        str(Decimal(row["total"]) - Decimal(row["refunded"])), row["currency"]
    ),
    "discountCode": lambda row: next(iter(split(row["discount_codes"])), None),
    "discountCodes": lambda row: split(row["discount_codes"]),
    "displayFinancialStatus": column("financial_status"),
    "displayFulfillmentStatus": column("fulfillment_status"),
    "tags": lambda row: split(row["tags"]),
    "note": lambda row: None,
    "taxesIncluded": lambda row: True,
}


def order_currency(row: Row) -> str:
    return row.context.currency


def line_image(row: Row) -> dict[str, Any] | None:
    product = row.one("Product", "product_id")
    return image(product) if product else None


def line_total(row: Row) -> dict[str, Any]:
    total = Decimal(row["unit_price"]) * row["quantity"] - Decimal(row["discount"])
    return money_bag(str(total), row.context.currency)


LINE_ITEM: Fields = {
    "id": gid,
    "title": column("title"),
    "name": column("title"),
    "sku": column("sku"),
    "quantity": column("quantity"),
    "currentQuantity": column("current_quantity"),
    "originalUnitPriceSet": bag("unit_price", order_currency),
    "originalTotalSet": lambda row: money_bag(
        times(row["unit_price"], row["quantity"]), row.context.currency
    ),
    "totalDiscountSet": bag("discount", order_currency),
    "discountedTotalSet": line_total,
    "product": lambda row: row.one("Product", "product_id"),
    "variant": lambda row: row.one("ProductVariant", "product_id"),
    "image": line_image,
}

FULFILLMENT: Fields = {
    **COMMON,
    "status": lambda row: "SUCCESS",
    "displayStatus": lambda row: "DELIVERED" if row["delivered_at"] else "IN_TRANSIT",
    "inTransitAt": column("created_at"),
    "deliveredAt": column("delivered_at"),
}

REFUND: Fields = {
    **COMMON,
    "processedAt": column("created_at"),
    "note": column("note"),
    "order": lambda row: row.one("Order", "order_id"),
    "totalRefundedSet": bag("amount", order_currency),
}

REFUND_LINE_ITEM: Fields = {
    "id": gid,
    "lineItem": lambda row: row.one("LineItem", "order_line_id"),
    "quantity": column("quantity"),
    "subtotalSet": bag("subtotal", order_currency),
    "totalTaxSet": lambda row: money_bag("0.00", row.context.currency),
    "restocked": lambda row: True,
    "restockType": lambda row: "RETURN",
}


# -------------------------------------------------------------------------------- checkouts

CHECKOUT: Fields = {
    **COMMON,
    "name": column("name"),
    "note": lambda row: "",
    "completedAt": column("completed_at"),
    "customer": lambda row: row.one("Customer", "customer_id"),
    "abandonedCheckoutUrl": lambda row: f"{row.context.base_url}/checkouts/{row['token']}/recover",
    "defaultCursor": lambda row: cursor(row["id"], row["id"]),
    "discountCodes": lambda row: [],
    "taxesIncluded": lambda row: True,
    "subtotalPriceSet": bag("subtotal"),
    "totalLineItemsPriceSet": bag("subtotal"),
    "totalPriceSet": bag("total"),
}

CHECKOUT_LINE: Fields = {
    "id": gid,
    "title": column("title"),
    "sku": lambda row: product["sku"] if (product := row.one("Product", "product_id")) else None,
    "quantity": column("quantity"),
    "originalUnitPriceSet": bag("unit_price", order_currency),
    "discountedUnitPriceSet": bag("unit_price", order_currency),
    "originalTotalPriceSet": lambda row: money_bag(
        times(row["unit_price"], row["quantity"]), row.context.currency
    ),
    "product": lambda row: row.one("Product", "product_id"),
    "variant": lambda row: row.one("ProductVariant", "product_id"),
    "image": line_image,
}


# --------------------------------------------------------------------------- bulk operations


def bulk_url(row: Row) -> str | None:
    if row["status"] != "COMPLETED" or not row["object_count"]:
        return None  # as at Shopify, an empty result has no file
    return f"{row.context.base_url}/bulk/{row['id']}.jsonl"


BULK_OPERATION: Fields = {
    "id": gid,
    "status": column("status"),
    "type": lambda row: "QUERY",
    "query": column("query"),
    "errorCode": column("error_code"),
    "createdAt": column("created_at"),
    "completedAt": column("completed_at"),
    "objectCount": lambda row: str(row["object_count"]),
    "rootObjectCount": lambda row: str(row["root_object_count"]),
    "fileSize": lambda row: None if row["file_size"] is None else str(row["file_size"]),
    "url": bulk_url,
    "partialDataUrl": lambda row: None,
}

FIELDS: dict[str, Fields] = {
    "Customer": CUSTOMER,
    "Product": PRODUCT,
    "ProductVariant": VARIANT,
    "Order": ORDER,
    "LineItem": LINE_ITEM,
    "Fulfillment": FULFILLMENT,
    "Refund": REFUND,
    "RefundLineItem": REFUND_LINE_ITEM,
    "AbandonedCheckout": CHECKOUT,
    "AbandonedCheckoutLineItem": CHECKOUT_LINE,
    "BulkOperation": BULK_OPERATION,
}

CHILDREN: dict[str, dict[str, Callable[[Row], list[Row]]]] = {
    "Order": {
        "lineItems": lambda row: row.many("LineItem", "order_id", "listed"),
        "fulfillments": lambda row: row.many("Fulfillment", "order_id"),
        "refunds": lambda row: row.many("Refund", "order_id"),
    },
    "Refund": {"refundLineItems": lambda row: row.many("RefundLineItem", "refund_id")},
    "Product": {
        "variants": lambda row: [one] if (one := row.one("ProductVariant", "id")) else [],
    },
    "Customer": {"orders": lambda row: row.many("Order", "customer_id")},
    "AbandonedCheckout": {"lineItems": lambda row: row.many("AbandonedCheckoutLineItem", "checkout_id")},
}
