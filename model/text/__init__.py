"""Conversations as token ids and labels, for training and for generation."""

from model.text.encode import ConversationEncoder, EncodedConversation, EncodedPrompt
from model.text.errors import RegionMismatch, RowError, RowTooLong, WrongTurns
from model.text.sequence import TokenLayout
from model.text.template import (
    PLAIN,
    VICUNA_V0,
    VICUNA_V0_RELEASED,
    VICUNA_V1,
    Messages,
    Template,
    chosen_template,
)

__all__ = [
    "PLAIN",
    "VICUNA_V0",
    "VICUNA_V0_RELEASED",
    "VICUNA_V1",
    "ConversationEncoder",
    "EncodedConversation",
    "EncodedPrompt",
    "Messages",
    "RegionMismatch",
    "RowError",
    "RowTooLong",
    "Template",
    "TokenLayout",
    "WrongTurns",
    "chosen_template",
]
