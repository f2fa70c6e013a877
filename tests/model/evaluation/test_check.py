"""A line of the gate's reasons: kept as a sentence, read from it again, and shown in a table."""

import pytest

from model.evaluation.check import Check, info, judge, markdown_table, note, read_check, text_table

SKILL = judge(True, "evidence of skill", "44,541 to 1 (1,250 sessions, 2015-02-13 to 2020-01-31)", "20 to 1")
RECENT = judge(False, "newest 250 sessions", "CRPS 1.0040 times naive", "at most 1")
ALONE = info("version in Production", "none to compare with")
SAID = note("Approved by ada: it has held up.")


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (
            SKILL,
            "PASS evidence of skill: 44,541 to 1 (1,250 sessions, 2015-02-13 to 2020-01-31); needed 20 to 1.",
        ),
        (RECENT, "FAIL newest 250 sessions: CRPS 1.0040 times naive; needed at most 1."),
        (ALONE, "INFO version in Production: none to compare with."),
        (SAID, "Approved by ada: it has held up."),
        (
            judge(False, "evidence", "none: 3 days; few.", "20 to 1"),
            "FAIL evidence: none: 3 days; few.; needed 20 to 1.",
        ),
    ],
)
def test_a_check_is_kept_as_a_sentence_and_read_from_it_again(check: Check, sentence: str) -> None:
    assert str(check) == sentence
    assert read_check(sentence) == check


def test_a_sentence_that_was_kept_before_there_were_checks_stays_as_it_is() -> None:
    old = "On the newest 250 sessions CRPS 0.9926 times that of the newest Close; at most 1."
    assert str(read_check(old)) == old
    assert read_check(old) == note(old)
    assert text_table([read_check(old)], "  ") == (f"  INFO    {old}",)


def test_the_table_has_a_line_for_each_check_and_the_sentences_that_stand_alone_last() -> None:
    assert text_table([RECENT, SAID, SKILL, ALONE], "  ") == (
        "  result  check                  measured                                                needed",
        "  FAIL    newest 250 sessions    CRPS 1.0040 times naive                                 at most 1",
        "  PASS    evidence of skill      44,541 to 1 (1,250 sessions, 2015-02-13 to 2020-01-31)  20 to 1",
        "  INFO    version in Production  none to compare with",
        "  INFO    Approved by ada: it has held up.",
    )
    assert text_table([]) == ()


def test_in_markdown_what_somebody_typed_is_no_markup() -> None:
    assert markdown_table([RECENT, note("Approved by a|b: <b>so</b> [x](y) *z*.")]) == (
        "| result | check | measured | needed |\n"
        "| --- | --- | --- | --- |\n"
        "| FAIL | newest 250 sessions | CRPS 1.0040 times naive | at most 1 |\n"
        "| INFO |  | Approved by a\\|b: &lt;b&gt;so&lt;/b&gt; \\[x\\](y) \\*z\\*. |  |\n"
    )
