"""Dead letters that operators work: preview, replay, discard."""
