"""What `hybrid-ai bench` runs: speed and tightness of the bounds, on the user's own machine and model."""
