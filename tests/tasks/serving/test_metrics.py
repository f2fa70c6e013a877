"""What Prometheus reads of a board with later sessions, and of one without."""

from datetime import UTC, datetime

from tasks.serving.board import Board, BoardRow
from tasks.serving.endpoints.metrics import Metrics
from tasks.serving.service import Service
from tasks.settings import Settings
from tests.tasks.serving.pages.given import made_row, with_cone

AT = datetime(2026, 11, 27, 23, 20, tzinfo=UTC)


def said(settings: Settings, *rows: BoardRow) -> list[str]:
    service = Service(settings, lambda: AT)
    service.board = Board(read_at=AT, rows=rows)
    return [line for line in Metrics(service).text().decode().splitlines() if "_created" not in line]


def test_later_sessions_have_figures_of_their_own_by_how_far_ahead_they_are(settings: Settings) -> None:
    row = with_cone(made_row(5))
    alone, beside = said(settings, made_row(5)), said(settings, row)
    # Every figure of the next session is there as before, and no other without later ones.
    added = [line for line in beside if line not in alone]
    assert [line for line in beside if line in alone] == alone
    values = dict(line.split(" ") for line in added if not line.startswith("#"))
    week, month = row.further
    of = 'model="META-Open"'
    assert {name: float(value) for name, value in values.items()} == {
        f'tomorrow_skill_ahead{{horizon="5",{of}}}': week.skill,
        f'tomorrow_coverage_ahead{{horizon="5",{of}}}': week.coverage,
        f'tomorrow_scored_ahead{{horizon="5",{of}}}': week.scored,
        f'tomorrow_scored_ahead{{horizon="21",{of}}}': month.scored,
    }
