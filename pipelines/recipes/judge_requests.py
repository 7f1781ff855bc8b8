"""What requests to models that judge have in common: some parameters of sampling are not sent."""


class JudgeRequests:
    """Requests of a judge, which send neither a top-p nor a seed."""

    __slots__ = ()

    @property
    def top_p(self) -> None:
        """None: a request has no top-p."""
        return None

    @property
    def seed_requests(self) -> bool:
        """False: a request takes no seed."""
        return False
