"""Plans: what is to be certified, read from one TOML file (docs/formats/plan.md)."""
