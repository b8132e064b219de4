"""Names that somebody may have meant."""

from irsa_cli.core.values.names import near


def test_near_names_are_those_that_look_alike() -> None:
    known = ["backend", "backend-old", "frontend", "kube-system"]
    assert near("bakcend", known)[0] == "backend"
    assert near("Backend", known)[0] == "backend"
    assert near("aip", ["api", "web"]) == ("api",)
    assert near("x", known) == ()
    assert "backend" not in near("backend", ["backend"])
