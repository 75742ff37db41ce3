"""Recipes for the inputs of the core models, and what all recipes share; ``recipes`` is what callers use."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Inputs = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]
Recipe = Callable[[np.random.Generator, bool], Inputs]

# Where the Arabic letters begin in the vocabulary of the romanizer, and the letters in its order.
ROMANIZER_FIRST_LETTER = 118
ROMANIZER_LETTERS = "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيچژڤڨگ"
ROMANIZER_NAMES = (
    "محمد",
    "خالد",
    "فاطمة",
    "يوسف",
    "مريم",
    "حسين",
    "إبراهيم",
    "سعاد",
    "رشيد",
    "زينب",
    "مصطفى",
)
BEGIN, END, NO_COUNTRY, NO_ROLE = 1, 2, 4, 29  # its marks
ROMANIZER_ENCODER, ROMANIZER_DECODER = "arabic_romanizer_encoder", "arabic_romanizer_decoder"

MAGIKA_PART = 1024  # bytes looked at on each end of a file
MAGIKA_PADDING = 256  # stands where a file is shorter


@lru_cache(maxsize=4)
def session(path: Path) -> onnxruntime.InferenceSession:
    """The model at ``path`` in ONNX Runtime, on one thread so that its sums keep their order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def segment_distance(rows: Floats, columns: Floats, start: Floats, end: Floats) -> Floats:
    """Distance of each point (``rows``, ``columns``) from the segment between two points (row, column)."""
    along = end - start
    share = ((rows - start[0]) * along[0] + (columns - start[1]) * along[1]) / max(float(along @ along), 1e-9)
    share = np.clip(share, 0.0, 1.0)
    distance: Floats = np.hypot(rows - start[0] - share * along[0], columns - start[1] - share * along[1])
    return distance


def strokes(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A line of invented letters, dark on white: float32 [1, 3, height, width] in -1 (black) to 1 (white)."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    ink = np.zeros((height, width))
    cell = 0.5 * height  # letters are half as wide as the line is high
    for index in range(int(width / cell)):
        corners = rng.uniform((0.2, 0.15), (0.8, 0.85), size=(4, 2)) * (height, cell) + (0.0, index * cell)
        for start, end in pairwise(corners):
            distance = segment_distance(rows, columns, start, end)
            ink = np.maximum(ink, np.clip(0.045 * height - distance + 0.5, 0.0, 1.0))
    paper = 1.0 - 0.06 * rng.random((3, height, width))
    darkness = rng.uniform(0.75, 0.95, size=(3, 1, 1))
    value = paper - darkness * ink
    return ((value - 0.5) / 0.5)[None].astype(np.float32)


def voice(rng: np.random.Generator, samples: int, rate: int) -> Floats:
    """Speech-like sound [samples]: harmonics of a gliding pitch under a slow envelope, and faint noise."""
    time = np.arange(samples) / rate
    pitch = rng.uniform(90.0, 260.0) * (1.0 + 0.05 * np.sin(2.0 * np.pi * 3.0 * time))
    phase = 2.0 * np.pi * np.cumsum(pitch) / rate
    formant = rng.uniform(4.0, 8.0)
    sound = np.zeros(samples)
    for harmonic in range(1, 16):
        strength = 1.0 / harmonic + np.exp(-((harmonic - formant) ** 2) / 4.0)
        sound += strength * np.sin(harmonic * phase + rng.uniform(0.0, 2.0 * np.pi))
    envelope = 0.6 + 0.4 * np.sin(2.0 * np.pi * rng.uniform(2.0, 5.0) * time + rng.uniform(0.0, 2.0 * np.pi))
    sound *= 0.15 * envelope / np.abs(sound).max()
    noisy: Floats = sound + rng.normal(0.0, 0.005, samples)
    return noisy


def text_angle(rng: np.random.Generator, small: bool) -> Inputs:
    """A picture of a line of text for the angle classifier."""
    return {"x": strokes(rng, 48, 64) if small else strokes(rng, 48, 192)}


def speech(rng: np.random.Generator, small: bool) -> Inputs:
    """One piece of sound for the voice detector, with the state its earlier pieces left."""
    samples = 320 if small else 576  # 64 samples of context before 32 ms
    return {
        "input": voice(rng, samples, 16000)[None].astype(np.float32),
        "state": (0.3 * rng.normal(size=(2, 1, 128))).astype(np.float32),
        "sr": np.array(16000, dtype=np.int64),
    }


def made_up_text(rng: np.random.Generator) -> str:
    """A text of over 2048 bytes: a Python program, a table, a page or a record, as the generator chooses."""
    words = "alpha sum river count stone index lamp value north total reed state".split()

    def word() -> str:
        return words[int(rng.integers(len(words)))]

    def number() -> int:
        return int(rng.integers(1000))

    kind = int(rng.integers(4))
    if kind == 0:
        body = "".join(
            f"def {word()}_{index}({word()}: int, other: int = {number()}) -> int:\n"
            f'    """Return the {word()} of the {word()}."""\n'
            f"    if other > {number()}:\n        return other - {number()}\n"
            f"    return sum(other * step for step in range({number()}))\n\n\n"
            for index in range(24)
        )
        return f"import math\nimport sys\n\n\n{body}if __name__ == '__main__':\n    sys.exit(main())\n"
    if kind == 1:
        rows = "".join(f"{index},{word()},{word()},{number()},{number()}.5\n" for index in range(140))
        return f"id,name,place,amount,price\n{rows}"
    if kind == 2:
        rows = "".join(
            f'<p class="{word()}">The {word()} of the {word()} is {number()}.</p>\n' for _ in range(60)
        )
        head = "<html>\n<head>\n<title>Rivers</title>\n</head>\n<body>\n<h1>Rivers</h1>\n"
        return f"<!DOCTYPE html>\n{head}{rows}</body>\n</html>\n"
    rows = ",\n".join(
        f'  {{"id": {index}, "name": "{word()}", "tags": ["{word()}", "{word()}"], "n": {number()}}}'
        for index in range(60)
    )
    return f"[\n{rows}\n]\n"


def file_bytes(rng: np.random.Generator, small: bool) -> Inputs:
    """The two ends of a file for the file-type classifier, as its package cuts them, never shorter."""
    content = made_up_text(rng).encode("ascii")
    first = list(content.lstrip()[:MAGIKA_PART])
    last = list(content.rstrip()[-MAGIKA_PART:])
    first += [MAGIKA_PADDING] * (MAGIKA_PART - len(first))
    last = [MAGIKA_PADDING] * (MAGIKA_PART - len(last)) + last
    return {"bytes": np.array([first + last], dtype=np.int32)}


def music(rng: np.random.Generator, small: bool) -> Inputs:
    """Two seconds of music for the note finder: three plucked notes, one after another, never shorter."""
    rate, samples = 22050, 43844
    time = np.arange(samples) / rate
    sound = rng.normal(0.0, 0.002, samples)
    for index, note in enumerate(rng.choice(np.arange(48, 80), size=3, replace=False)):
        since = time - (0.1 + 0.55 * index)
        frequency = 440.0 * 2.0 ** ((int(note) - 69) / 12.0)
        decay = np.where(since > 0.0, np.exp(-2.5 * np.maximum(since, 0.0)), 0.0)
        for harmonic in range(1, 7):
            sound += 0.2 / harmonic * decay * np.sin(2.0 * np.pi * harmonic * frequency * since)
    return {"serving_default_input_2:0": sound[None, :, None].astype(np.float32)}


def name_source(rng: np.random.Generator, small: bool) -> Inputs:
    """A name for the romanizer's encoder: marks for country and role, the letters, the end mark.

    The mask is true at *padding*, so it is false everywhere in a single name. (All true would hide the
    whole name: the masked mean would be that of nothing.)
    """
    name = ROMANIZER_NAMES[int(rng.integers(len(ROMANIZER_NAMES)))]
    letters = [
        ROMANIZER_FIRST_LETTER + ROMANIZER_LETTERS.index(letter) for letter in name[: 3 if small else None]
    ]
    source = np.array([[NO_COUNTRY, NO_ROLE, *letters, END]], dtype=np.int64)
    return {"src": source, "src_mask": np.zeros(source.shape, dtype=bool)}


def name_step(rng: np.random.Generator, small: bool, models: Path) -> Inputs:
    """One step of the romanizer's decoder, after none to three letters have been written.

    With the encoder's file in ``models`` the memory is that of a real name, and with the decoder's the
    letters before are those it writes. Without them both are numbers of the same size.
    """
    source = name_source(rng, small)
    letters = int(rng.integers(4))
    encoder, decoder = models / f"{ROMANIZER_ENCODER}.onnx", models / f"{ROMANIZER_DECODER}.onnx"
    length = source["src"].shape[1]
    memory = np.tanh(rng.normal(size=(1, length, 256))).astype(np.float32)
    hidden = np.tanh(0.3 * rng.normal(size=(1, 2, 256))).astype(np.float32)
    prefix = [BEGIN, *(int(letter) for letter in rng.integers(59, 85, size=letters))]  # ids of a to z
    if encoder.is_file():
        memory, _, hidden = session(encoder).run(None, source)
        if decoder.is_file():
            prefix = [BEGIN]
            for _ in range(letters):
                step = step_inputs(prefix, memory, source["src_mask"], hidden)
                scores, hidden = session(decoder).run(None, step)
                prefix.append(int(scores[0].argmax()))
    return step_inputs(prefix, memory, source["src_mask"], hidden)


def step_inputs(prefix: list[int], memory: NDArray[Any], mask: NDArray[Any], hidden: NDArray[Any]) -> Inputs:
    """The decoder's inputs by name."""
    written = np.array([prefix], dtype=np.int64)
    return {"prefix": written, "memory": memory, "src_mask": mask, "hidden": hidden}


CORE: dict[str, Recipe] = {
    "text_angle": text_angle,
    "speech": speech,
    "file_bytes": file_bytes,
    "music": music,
    "name_source": name_source,
}
