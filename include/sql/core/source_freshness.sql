-- How far the data of each source and stream reaches; an empty window counts, it was looked at.
-- answers: How fresh is the data?
-- owner: data
-- grain: source, stream
with manifests as (
    select * from raw.manifests
    where as_of <= {{ as_of }}
)

select
    source,
    stream,
    max(until) as fresh_until
from manifests
group by source, stream
