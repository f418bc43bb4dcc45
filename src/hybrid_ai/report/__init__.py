"""The certification report: a dossier's JSON as one HTML page that needs nothing else."""
