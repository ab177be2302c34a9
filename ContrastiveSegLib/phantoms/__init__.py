"""Patients drawn from a seed, so that everything can be tried without data."""
