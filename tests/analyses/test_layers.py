from backend.analyses import load_all

SPECS = load_all()


def test_the_suite_is_made_of_registered_parts_that_share_no_parameter_by_accident():
    suite = SPECS["layers"]
    assert suite.run is None
    assert set(suite.parts) <= set(SPECS)
    assert all(SPECS[part].run is not None for part in suite.parts)
    shared = suite.share({"at_most": 30, "text": "zero"})
    assert shared["similarity"]["at_most"] == shared["profile"]["at_most"] == 30
    assert shared["lens"]["text"] == "zero"
    assert "text" not in shared["profile"]
