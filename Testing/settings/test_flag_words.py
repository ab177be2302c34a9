"""Sentences with flags become sentences with the names of the form."""

from __future__ import annotations

import pytest

from ContrastiveSegLib.settings.flag_words import without_flags


@pytest.mark.parametrize(
    ("with_flags", "without"),
    [
        (
            "Begin a new run with a lower --lr, a larger --batch, or more --epochs.",
            "Begin a new run with a lower 'learning rate', a larger 'batch size', or more 'passes over the "
            "data'.",
        ),
        ("Try --patch 192 192.", "Try 'patch size' 192 192."),
        ("x is already there and stays; --overwrite replaces it.",
         "x is already there and stays; 'replace what is there' replaces it."),
        ("Choose --strategy pclmix or partial_ce, or say --annotation cases if these are complete labels.",
         "Choose 'strategy' \"PCLMix\" or partial_ce, or say 'kind of annotation' \"whole cases\" if these "
         "are complete labels."),
        ("name another run with --from, or train from scratch with --from none.",
         "name another run with 'start from', or train from scratch with 'start from' none."),
        ("Choose --spatial-dims 2.", "Choose 'learn from' \"slices (2D)\"."),
        ("--no-slice-consistency leaves them as they are.",
         "'inter-slice consistency' switched off leaves them as they are."),
        ("The setting 'grid.spatial_dims' is 4; allowed is one of 2, 3.",
         "The setting 'learn from' is 4; allowed is one of 2, 3."),
        ("A range of 3--5 mm -- no flag.", "A range of 3--5 mm -- no flag."),
    ],
)  # fmt: skip
def test_flags_become_the_names_of_the_form(with_flags, without):
    assert without_flags(with_flags) == without
