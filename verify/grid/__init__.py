"""Losses over a grid of n samples x m classes: what they are tried on, what that covers."""
