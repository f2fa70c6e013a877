"""What MLflow shows of a proof."""

from tasks.registry.proof_record import with_claim


def test_the_claim_stands_first_in_a_note_and_a_newer_one_takes_its_place() -> None:
    first = with_claim("**Forecasts the Open**.\n\nTrained.\n", "undecided")
    assert first == "**Proof of its configuration**: undecided.\n\n**Forecasts the Open**.\n\nTrained.\n"
    second = with_claim(first, "proven on 501 sessions (evidence 21 to 1)")
    assert second == (
        "**Proof of its configuration**: proven on 501 sessions (evidence 21 to 1).\n\n"
        "**Forecasts the Open**.\n\nTrained.\n"
    )
    assert with_claim("", "undecided") == "**Proof of its configuration**: undecided.\n\n"
