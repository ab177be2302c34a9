"""Promptable models (SAM family): refine what was predicted, carry one annotated slice through a volume."""
