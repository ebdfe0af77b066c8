"""The same hour by dlt and dbt, as their users would write it; run in .venv-bench, without any of the product."""
