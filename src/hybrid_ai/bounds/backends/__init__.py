"""Backends of the bound-propagation core."""
