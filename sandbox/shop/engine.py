"""Executes GraphQL requests on Shopify's schema with graphql-core."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo, execute, get_operation_ast

from sandbox import store as state
from sandbox.shop import bulk, discounts
from sandbox.shop.cost import MAXIMUM, Bucket, Coster
from sandbox.shop.documents import document, schema
from sandbox.shop.fields import CHILDREN, FIELDS, metafield
from sandbox.shop.graph import (
    ROOTS,
    Context,
    Row,
    UserError,
    by_key,
    child_connection,
    node,
    root_connection,
)
from sandbox.shop.search import SearchError
from sandbox.store import Store, iso


class Engine:
    """Answers GraphQL requests from a store, and charges them to a bucket."""

    def __init__(self, store: Store, bucket: Bucket, operations: bulk.Operations) -> None:
        self.store = store
        self.bucket = bucket
        self.operations = operations

    def answer(self, query: str, variables: dict[str, Any], operation_name: str | None) -> dict[str, Any]:
        """The body of the response: data, errors and extensions."""
        parsed, errors = document(query)
        if parsed is None:
            return {"errors": list(errors)}
        operation = get_operation_ast(parsed, operation_name)
        if operation is None:
            return {"errors": [{"message": "No operation named " + repr(operation_name)}]}
        coster = Coster(schema(), parsed, variables)
        requested = coster.requested(operation)
        refusal = self._charge(requested)
        if refusal:
            return refusal
        mutation = operation.operation.value == "mutation"
        with self.store.write() if mutation else self.store.read() as db:
            context = Context(db, f"{self.store.base_url}/shop", state.get(db, "currency"), [])
            result = execute(
                schema(),
                parsed,
                root_value={},
                context_value=(context, self),
                variable_values=variables,
                operation_name=operation_name,
                field_resolver=resolve,
                type_resolver=lambda value, *_: value.kind if isinstance(value, Row) else value["__typename"],
            )
        self.operations.wake()
        actual = coster.actual(operation, result.data)
        self.bucket.give_back(requested - actual)
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        body["extensions"] = {"cost": self._cost(requested, actual)}
        if context.ignored_filters:
            body["extensions"]["search"] = [
                {
                    "path": [name],
                    "warnings": [
                        {
                            "field": field,
                            "message": "Invalid search field for this query.",
                            "code": "invalid_field",
                        }
                    ],
                }
                for name, field in context.ignored_filters
            ]
        return body

    def _charge(self, requested: int) -> dict[str, Any] | None:
        if requested > MAXIMUM:
            message = f"Query cost is {requested}, which exceeds the single query max cost limit ({MAXIMUM})."
            extensions = {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": MAXIMUM}
            return {"errors": [{"message": message, "extensions": extensions}]}
        if not self.bucket.take(requested):
            return {
                "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
                "extensions": {"cost": self._cost(requested, None)},
            }
        return None

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self.bucket.status(),
        }


# -------------------------------------------------------------------------------- resolving


def resolve(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    """The value of one field: of the query root, of a row, or of a plain object made by a row."""
    name = info.field_name
    try:
        if info.parent_type.name == "QueryRoot":
            return _root(info, name, arguments)
        if info.parent_type.name == "Mutation":
            return MUTATIONS[name](info, **arguments) if name in MUTATIONS else _missing(info)
        if isinstance(source, Row):
            return _of_row(source, info, name, arguments)
    except (UserError, SearchError) as error:
        raise GraphQLError(str(error), extensions={"code": "BAD_USER_INPUT"}) from error
    return source[name] if name in source else _missing(info)


def _missing(info: GraphQLResolveInfo) -> Any:
    raise GraphQLError(
        f"The sandbox does not model {info.parent_type.name}.{info.field_name}.",
        extensions={"code": "NOT_IN_SANDBOX"},
    )


def _of_row(row: Row, info: GraphQLResolveInfo, name: str, arguments: dict[str, Any]) -> Any:
    children = CHILDREN.get(info.parent_type.name, {}).get(name)
    if children:
        rows = children(row)
        if str(info.return_type).startswith("["):
            return rows[: arguments.get("first") or len(rows)]
        return child_connection(rows, rows[0].kind if rows else "", arguments)
    if name == "metafield":
        return metafield(row, **arguments)
    field = FIELDS[row.kind].get(name)
    return field(row) if field else _missing(info)


SINGLE = {"order": "Order", "customer": "Customer", "product": "Product", "bulkOperation": "BulkOperation"}


def _root(info: GraphQLResolveInfo, name: str, arguments: dict[str, Any]) -> Any:
    context: Context = info.context[0]
    if name in ROOTS:
        return root_connection(context, name, arguments)
    if name == "node":
        return node(context, arguments["id"])
    if name == "nodes":
        return [node(context, gid) for gid in arguments["ids"]]
    if name in SINGLE:
        found = node(context, arguments["id"])
        return found if found is not None and found.kind == SINGLE[name] else None
    if name == "shop":
        return _shop(context)
    if name in QUERIES:
        return QUERIES[name](info, **arguments)
    if name in {"customersCount", "ordersCount"}:
        table = {"customersCount": "shop_customers", "ordersCount": "shop_orders"}[name]
        return {
            "count": context.db.execute(f"select count(*) from {table}").fetchone()[0],  # ruff: ignore[hardcoded-sql-expression]
            "precision": "EXACT",
        }
    return _missing(info)


def _shop(context: Context) -> dict[str, Any]:
    return {
        "id": "gid://shopify/Shop/1",
        "name": state.get(context.db, "shop_name"),
        "email": "shop@example.com",
        "contactEmail": "shop@example.com",
        "currencyCode": context.currency,
        "ianaTimezone": "Europe/Berlin",
        "myshopifyDomain": "kreislauf-sandbox.myshopify.com",
        "url": context.base_url,
        "primaryDomain": {"id": "gid://shopify/Domain/1", "host": "localhost", "url": context.base_url},
    }


# -------------------------------------------------------------------------------- mutations


def _run_bulk_query(info: GraphQLResolveInfo, query: str, **_: Any) -> dict[str, Any]:
    context, engine = info.context
    problem = bulk.problem_with(query)
    if problem is None and engine.operations.running(context.db) >= bulk.AT_A_TIME:
        problem = "OPERATION_IN_PROGRESS", f"At most {bulk.AT_A_TIME} bulk query operations run at a time."
    if problem:
        error = {"field": ["query"], "message": problem[1], "code": problem[0]}
        return {"bulkOperation": None, "userErrors": [error]}
    return {"bulkOperation": engine.operations.create(context, query), "userErrors": []}


def _cancel_bulk(info: GraphQLResolveInfo, id: str) -> dict[str, Any]:
    context, engine = info.context
    found = node(context, id)
    if found is None or found.kind != "BulkOperation":
        return {
            "bulkOperation": None,
            "userErrors": [{"field": ["id"], "message": "Bulk operation does not exist"}],
        }
    engine.operations.cancel(context.db, found["id"])
    return {"bulkOperation": node(context, id), "userErrors": []}


SETTABLE = {"SUBSCRIBED", "UNSUBSCRIBED", "PENDING"}


def _update_consent(info: GraphQLResolveInfo, input: dict[str, Any]) -> dict[str, Any]:
    context, engine = info.context
    consent = input["emailMarketingConsent"]
    customer = node(context, input["customerId"])

    def refuse(field: list[str], message: str) -> dict[str, Any]:
        return {"customer": None, "userErrors": [{"field": field, "message": message, "code": "INVALID"}]}

    if customer is None or customer.kind != "Customer":
        return refuse(["input", "customerId"], "Customer not found")
    if customer["email"] is None:
        return refuse(["input", "emailMarketingConsent"], "Customer must have an email address")
    wanted = consent["marketingState"]
    if wanted not in SETTABLE:
        return refuse(
            ["input", "emailMarketingConsent", "marketingState"],
            f"Cannot specify {wanted} as a marketing state input",
        )
    now = engine.store.now()
    updated_at = state.parse(consent["consentUpdatedAt"]) if consent.get("consentUpdatedAt") else now
    context.db.execute(
        "update shop_customers set marketing_state = ?, opt_in_level = coalesce(?, opt_in_level),"
        " marketing_updated_at = ?, updated_at = max(updated_at, ?) where id = ?",
        (wanted, consent.get("marketingOptInLevel"), iso(updated_at), iso(now), customer["id"]),
    )
    return {"customer": by_key(context, "Customer", "id", {customer["id"]})[0], "userErrors": []}


MUTATIONS = {
    "bulkOperationRunQuery": _run_bulk_query,
    "bulkOperationCancel": _cancel_bulk,
    "customerEmailMarketingConsentUpdate": _update_consent,
    "discountRedeemCodeBulkAdd": discounts.add,
}

QUERIES = {
    "codeDiscountNodeByCode": discounts.by_code,
    "discountRedeemCodeBulkCreation": discounts.creation,
}
