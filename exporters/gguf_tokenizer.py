"""The tokenizer in a GGUF file, written from what `evaluators.gguf_vocabulary` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluators.gguf_vocabulary import SENTENCE_PIECE, read_vocabulary


def add_tokenizer(writer: Any, model: Path, num_tokens: int) -> None:
    """Write the tokenizer of the model folder for a vocabulary of ``num_tokens`` rows; none where the folder has none.

    Raises:
        InputError: it is of a kind that is not written here.
    """
    vocabulary = read_vocabulary(model, num_tokens)
    if vocabulary is None:
        writer.add_tokenizer_model("none")
        return
    writer.add_tokenizer_model(vocabulary.kind)
    writer.add_tokenizer_pre(vocabulary.splitting)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.kind == SENTENCE_PIECE:
        writer.add_token_scores(vocabulary.scores)
        writer.add_add_space_prefix(vocabulary.begins_with_space)
    else:
        writer.add_token_merges(vocabulary.merges)
    for name, number in vocabulary.special.items():
        getattr(writer, f"add_{name}_token_id")(number)
    writer.add_add_bos_token(vocabulary.begins_with_bos)
    if vocabulary.template is not None:
        writer.add_chat_template(vocabulary.template)
