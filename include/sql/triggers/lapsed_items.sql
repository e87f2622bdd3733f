-- What is new since a lapsed buyer's last order: three products, those of its favourite type first,
-- and where there are not so many, what sells best.
-- owner: crm
-- grain: contact_id, occurrence_id, position
{% set keep = 3 %}
with lapses as (
    select
        contact_id,
        occurrence_id,
        last_ordered_at
    from triggers.lapsed
),

products as (
    select * from core.products
    where is_available and url is not null
),

affinities as (
    select
        contact_id,
        product_type
    from scores.product_affinity
    where position = 1
),

best_sellers as (
    select
        sellers.product_id,
        sellers.position
    from core.best_sellers as sellers
    inner join products on sellers.product_id = products.product_id
    where sellers.position <= {{ keep }}
),

newest as (
    select
        product_id,
        product_type,
        created_at,
        row_number() over (order by created_at desc, product_id asc) as place,
        row_number() over (
            partition by product_type order by created_at desc, product_id asc
        ) as place_in_type
    from products
),

offered as (
    select
        lapses.contact_id,
        lapses.occurrence_id,
        newest.product_id,
        case when newest.product_type = affinities.product_type then 1 else 2 end as precedence,
        newest.place
    from lapses
    left join affinities on lapses.contact_id = affinities.contact_id
    inner join newest
        on
            lapses.last_ordered_at < newest.created_at
            and (
                newest.place <= {{ keep }}
                or (
                    affinities.product_type = newest.product_type
                    and newest.place_in_type <= {{ keep }}
                )
            )
    union all
    select
        lapses.contact_id,
        lapses.occurrence_id,
        best_sellers.product_id,
        3 as precedence,
        best_sellers.position as place
    from lapses
    cross join best_sellers
),

mentioned as (
    select
        *,
        row_number() over (
            partition by occurrence_id, product_id order by precedence
        ) as mention
    from offered
),

ranked as (
    select
        mentioned.contact_id,
        mentioned.occurrence_id,
        mentioned.product_id,
        row_number() over (
            partition by mentioned.occurrence_id
            order by mentioned.precedence, mentioned.place, mentioned.product_id
        ) as position
    from mentioned
    where mentioned.mention = 1
)

select
    ranked.contact_id,
    ranked.occurrence_id,
    cast(ranked.position as bigint) as position,
    products.product_id,
    products.title,
    products.image_url,
    products.url,
    products.unit_amount
from ranked
inner join products on ranked.product_id = products.product_id
where ranked.position <= {{ keep }}
