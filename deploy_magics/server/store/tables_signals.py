"""Tables of what is published: resources, and the trading signals of algorithms."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .tables import Base, new_id


class Channel(Base):
    """What an account publishes to: a ``resource`` or an ``algorithm``, by the number it chose.

    ``fields`` declares the keys of a resource and the type of each; empty: anything goes.
    """

    __tablename__ = "channels"
    __table_args__ = (UniqueConstraint("account_id", "kind", "number"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    number: Mapped[int]
    title: Mapped[str] = mapped_column(String(255), default="")
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    open: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[float] = mapped_column(default=time.time)


class Publication(Base):
    """One thing published; ``id`` grows, so that a reader can ask for what came after."""

    __tablename__ = "publications"
    __table_args__ = (
        UniqueConstraint("channel_id", "key"),
        Index("ix_publications_channel", "channel_id", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    app: Mapped[str] = mapped_column(String(128))
    key: Mapped[str | None] = mapped_column(String(128))
    digest: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float] = mapped_column(default=time.time)


class Subscription(Base):
    """That an account reads another's channel."""

    __tablename__ = "subscriptions"
    channel_id: Mapped[str] = mapped_column(
        ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[float] = mapped_column(default=time.time)
