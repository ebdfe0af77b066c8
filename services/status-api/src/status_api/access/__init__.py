"""Who may look, who may change, and how a browser proves that it is they who ask."""
