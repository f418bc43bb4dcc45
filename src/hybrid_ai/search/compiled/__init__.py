"""What one node of the search does, in compiled code."""
