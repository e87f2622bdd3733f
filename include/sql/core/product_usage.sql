-- How many days a piece of a consumable lasts: the median of all who bought it again, once they
-- have done so often enough to tell.
-- answers: How long does a product last?
-- owner: crm
-- grain: product_id
{% set least_intervals = 5 %}
with purchases as (
    select
        product_id,
        days_a_piece
    from core.consumable_purchases
    -- What was bought again today counts from tomorrow: all that rests on it moves at midnight.
    where DAYS_BETWEEN(bought_again_at, {{ as_of }}) > 0
)

-- Without their number: it changes with each purchase, and all buyers are computed anew with it.
select
    product_id,
    MEDIAN(days_a_piece) as days_a_piece
from purchases
group by product_id
having count(*) >= {{ least_intervals }}
