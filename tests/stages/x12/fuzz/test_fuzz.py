"""The fuzz target: whatever bytes come in, nothing but the typed errors comes out, and reading does not depend on the chunks.

``python tests/stages/x12/fuzz/test_fuzz.py [rounds]`` mutates the corpus so often; with atheris installed, it drives the same
function by coverage: ``python tests/stages/x12/fuzz/test_fuzz.py --atheris tests/stages/x12/fuzz/corpus``.
"""

from __future__ import annotations

import random
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline import ConnectorError
from stages.x12.answering.acknowledge import group_answers, interchange_answer
from stages.x12.answering.answer_reader import read_answers
from stages.x12.answering.answer_writer import reply
from stages.x12.answering.match import match
from stages.x12.checking.validator import examine, findings, validate
from stages.x12.checking.violation import finding_json
from stages.x12.guide import Guide
from stages.x12.reading.reader import events
from stages.x12.showing.show import show_lines

CORPUS = Path(__file__).with_name("corpus")
NOON = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)
GUIDE = Guide(
    require=("REF*IA", "BIG04"), forbid=("PID", "BIG07"), limits={"BIG02": 5}, fixed={"BIG07": "DI"}, charset="basic"
)


def one_input(data: bytes) -> None:
    """One round over everything that takes bytes from outside. Raises only when something is wrong with us."""
    whole = list(events([data]))
    third, half = len(data) // 3, len(data) // 2
    assert whole == list(events([data[:third], data[third:half], data[half:]]))
    found = validate(data)
    assert found == list(findings([data[:third], data[third:]]))
    for violation in (*found, *validate(data, GUIDE)):
        assert str(violation)
        assert finding_json(violation)["message"]
        assert 0 <= violation.offset <= len(data)
    assert all(isinstance(line, str) for line in show_lines(data))
    match(read_answers([data]), [])
    _answer(data)


def _answer(data: bytes) -> None:
    examined = examine([data])
    for form in ("997", "999"):
        for index, answered in enumerate(group_answers(examined, form)):
            try:
                ta1 = interchange_answer(examined, index)
                written = reply(examined.interchanges[index], answered, ta1, {"ISA13": 1, "GS06": 1}, NOON)
            except ConnectorError:
                continue  # whom it came from cannot be written back
            assert written.startswith(b"ISA")
            back = [received.answer for received in read_answers([written])]
            assert blurred(back) == blurred([ta1, *answered])
            assert [str(wrong) for wrong in findings([written]) if wrong.severity == "error"] == []


def blurred(answers: list[Any]) -> list[str]:
    """What answers say, whatever stands for what cannot be repeated; groups may come in another order."""
    return sorted(str(_blurred(msgspec.to_builtins(answer))) for answer in answers)


def _blurred(said: Any) -> Any:
    match said:
        case str():
            return re.sub("[^A-Za-z0-9]", "?", said)
        case dict():
            return {name: _blurred(value) for name, value in said.items()}
        case list() | tuple():
            return [_blurred(value) for value in said]
    return said


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The data with a few bytes or pieces changed, doubled, moved or gone."""
    made = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at, other = rng.randrange(len(made) + 1), rng.randrange(len(made) + 1)
        match rng.randrange(6):
            case 0:
                made[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del made[at : at + rng.randrange(1, 20)]
            case 2:
                made[at:at] = made[other : other + rng.randrange(1, 60)]
            case 3:
                made[at:at] = rng.choice(
                    (b"~", b"*", b">", b"^", b"ISA*", b"IEA*", b"\n", b"ST*810*", b"SE*", b"9" * 30, b"\xe2\x80\xa6")
                )
            case 4:
                made = made[:at] if rng.randrange(4) == 0 else made
            case _:
                made[at : at + 2] = made[other : other + 2]
    return bytes(made)


@pytest.mark.parametrize("name", sorted(file.name for file in CORPUS.iterdir()))
def test_every_file_of_the_corpus_is_taken(name: str) -> None:
    one_input((CORPUS / name).read_bytes())


@pytest.mark.parametrize("seed", range(40))
def test_mutations_of_the_corpus_are_taken(seed: int) -> None:
    rng = random.Random(seed)
    files = sorted(CORPUS.iterdir())
    one_input(mutated(rng.choice(files).read_bytes(), rng))


def main() -> None:
    """Fuzz by mutation or, when asked, by atheris."""
    if "--atheris" in sys.argv:
        import atheris  # type: ignore[import-not-found]  # optional

        sys.argv.remove("--atheris")
        atheris.Setup(sys.argv, one_input)
        atheris.Fuzz()
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    files = sorted(CORPUS.iterdir())
    for seed in range(rounds):
        rng = random.Random(seed)
        data = mutated(rng.choice(files).read_bytes(), rng)
        try:
            one_input(data)
        except Exception:
            print(f"seed {seed}: {data!r}")  # noqa: T201 - this is a command
            raise


if __name__ == "__main__":
    main()
