"""Short segments."""

import pytest

from styler.storage.videos import encode


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(encode, "LONGEST", 4)
    monkeypatch.setattr(encode, "SHORTEST", 4)
