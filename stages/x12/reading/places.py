"""Where the segments of a block begin. No input/output."""

from __future__ import annotations

from stages.x12.reading.scanner import Block, clean


class Places:
    """The texts of a block, cleaned, and the byte each begins at."""

    def __init__(self, block: Block) -> None:
        self._width = block.mark
        self._last = (0, block.offset)
        self._offsets: list[int] = []
        self.texts = block.texts
        if not block.tidy:
            self._clean(block)

    def _clean(self, block: Block) -> None:
        newline = block.delimiters.segment in "\r\n"
        self.texts, at = [], block.offset
        for raw in block.texts:
            text, before = clean(raw, newline)
            if text or not newline:
                self.texts.append(text)
                self._offsets.append(at + before)
            at += len(raw) + block.mark

    def offset(self, index: int) -> int:
        """Ask in ascending order."""
        if self._offsets:
            return self._offsets[index]
        last, offset = self._last
        offset += sum(map(len, self.texts[last:index])) + self._width * (index - last)
        self._last = (index, offset)
        return offset
