"""Who is asking, and what their token lets them do."""

from __future__ import annotations

from dataclasses import dataclass

from deploy_magics.errors import ForbiddenError, NotFoundError

SCOPES = ("read", "deploy", "trade")
ALL_SCOPES = frozenset(SCOPES)


@dataclass(frozen=True)
class Principal:
    """Attributes:
    token_id: None for the command line and the sign-in page.
    project_id: set for a token of one project; it sees nothing else.
    """

    account_id: str
    name: str
    email: str | None = None
    scopes: frozenset[str] = ALL_SCOPES
    token_id: str | None = None
    token_name: str = ""
    project_id: str | None = None
    owner: bool = False

    def require(self, scope: str) -> None:
        """Raises ForbiddenError when the token lacks the scope."""
        if scope not in self.scopes:
            raise ForbiddenError(
                f"This token may not {scope}.",
                f"Create one with: deploy-magics token create --scope {scope}",
                status=403,
            )

    def may_see(self, project_id: str) -> None:
        if self.project_id is not None and self.project_id != project_id:
            raise NotFoundError("There is no such project.", status=404)

    def require_whole_account(self) -> None:
        """Raises ForbiddenError for a token that was made for one project only."""
        if self.project_id is not None:
            raise ForbiddenError("This token is for one project only.", status=403)
