-- How far the data of each source and stream reaches; an empty window counts, it was looked at.
-- answers: How fresh is the data?
-- owner: data
-- grain: source, stream
with manifests as (
    select * from raw.manifests
)

select
    source,
    stream,
    -- What was read after this moment has what was there before it.
    least(max(until), {{ as_of }}) as fresh_until
from manifests
group by source, stream
