import pytest

@pytest.fixture
def cachy_options():
    "A date makes no difference to which recording is used"
    return dict(norm_pats=((r'\d{4}-\d\d-\d\d', '<date>'),))
