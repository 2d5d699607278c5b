"""The batch: pipeline definitions, transition tables, the decision, the stored record and the read model."""
