"""From a pageviews file as served to rows in Parquet: both jobs need it, the transformer to restore retired rows."""
