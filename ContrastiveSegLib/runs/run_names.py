"""The names of the files and folders in a run folder; no other file spells them."""

from __future__ import annotations

from ContrastiveSegLib.program_identity import PREPARED as PREPARED

# At the top of a run folder.
SETTINGS = "settings.json"
EVENTS = "events.jsonl"
LOG = "log.txt"
CANCEL_REQUEST = "cancel.request"
LOCK = "lock"
PRETRAIN = "pretrain"
FINETUNE = "finetune"
PREDICTIONS = "predictions"
ANNOTATIONS = "annotations"
PANEL = "panel"

# In the folder of a training.
WEIGHTS = "model.safetensors"
MODEL_CARD = "model.json"
ENVIRONMENT = "environment.json"
CASES = "cases.csv"
LABELS = "labels.json"
SELF_TRAINING = "self_training"

# After the name of a folder or a case.
REFINED = "_refined"
REFINE_REPORT = "_refine.csv"
