"""Names of channels matched with the sensors and muscles of a rig: sides, segments and muscles in usual spellings."""

from __future__ import annotations

from collections.abc import Sequence

from imu_emg_estimator.rig import Muscle, Sensor

Words = tuple[str, ...]

# Each line: one thing, in the words that stand for it.
SIDES = ("left l lt li links gauche izq", "right r rt re rechts droite der", "centre center central mid middle")
PLACES = (
    "foot fuss fuß toe shoe", "shank shin tibia lowerleg calf", "thigh upperleg femur", "pelvis hip sacrum waist",
    "trunk torso chest sternum thorax back", "head", "upperarm humerus", "forearm lowerarm", "wrist", "hand",
    "vastuslateralis vl vastlat vlat vaslat", "vastusmedialis vm vastmed vmed vasmed",
    "rectusfemoris rf recfem rectfem",
    "bicepsfemoris bf bflh bicfem", "semitendinosus st semiten", "semimembranosus sm semimem",
    "tibialisanterior ta tibant", "soleus sol", "gastrocnemiusmedialis gm gmed mg gasmed gastrocmed",
    "gastrocnemiuslateralis gl glat lg gaslat gastroclat", "gluteusmaximus gmax glutmax", "gluteusmedius glutmed",
    "bicepsbrachii biceps bicep bb", "tricepsbrachii triceps tricep tb", "deltoid", "trapezius trap",
)  # fmt: skip
GLUED = {
    "lower leg": "lowerleg", "upper leg": "upperleg", "lower arm": "lowerarm", "upper arm": "upperarm",
    "vastus lateralis": "vastuslateralis", "vastus medialis": "vastusmedialis", "rectus femoris": "rectusfemoris",
    "biceps femoris": "bicepsfemoris", "tibialis anterior": "tibialisanterior", "biceps brachii": "bicepsbrachii",
    "triceps brachii": "tricepsbrachii", "gastrocnemius medialis": "gastrocnemiusmedialis",
    "gastrocnemius lateralis": "gastrocnemiuslateralis", "gluteus maximus": "gluteusmaximus",
    "gluteus medius": "gluteusmedius",
}  # fmt: skip
# Words of which a name says one, and then means no other.
OPPOSITES = tuple(
    frozenset(line.split())
    for line in (
        "anterior middle posterior", "flexor extensor", "medial lateral", "medialis lateralis", "upper middle lower",
        "long short", "longus brevis", "maximus medius minimus", "radialis ulnaris", "pronator supinator",
    )
)  # fmt: skip
SIDE_OF = {word: line.split()[0] for line in SIDES for word in line.split()}
PLACE_OF = {word: line.split()[0] for line in PLACES for word in line.split()}
PLACE_NAMES = frozenset(PLACE_OF.values())


def match_names(
    labels: Sequence[Words], parts: Sequence[Sensor] | Sequence[Muscle]
) -> tuple[dict[Words, str], list[str]]:
    """Match the words of channels with the sensors or muscles of a rig, one to one.

    Returns:
        Name in the rig by label, and a sentence on each label that fits none or several.
    """
    wanted = {part.name: _known(_words_of_part(part)) for part in parts}
    found: dict[Words, str] = {}
    notes = []
    for label in labels:
        fits = [name for name, words in wanted.items() if _fits(_known(label), words)]
        exact = [name for name in fits if "".join(label) == name.replace("_", "")]
        if len(exact or fits) == 1:
            found[label] = (exact or fits)[0]
        elif len(labels) == 1 and len(wanted) == 1:
            found[label] = next(iter(wanted))
            notes.append(f"'{' '.join(label)}' is taken for '{found[label]}', as there is one of each")
        else:
            notes.append(
                f"'{' '.join(label)}' fits {' and '.join(fits) or 'no name of the rig'}: say in the mapping what it is"
            )
    clashing = {name for name in found.values() if list(found.values()).count(name) > 1}
    for name in sorted(clashing):
        both = [" ".join(label) for label, own in found.items() if own == name]
        notes.append(f"'{name}' fits {' and '.join(both)}: say in the mapping which it is")
    return {label: name for label, name in found.items() if name not in clashing}, notes


def _words_of_part(part: Sensor | Muscle) -> Words:
    place = part.segment if isinstance(part, Sensor) else part.muscle
    side = () if part.side == "centre" else (part.side,)
    return (*part.name.lower().split("_"), *place.lower().split("_"), *side)


def _known(words: Words) -> tuple[str, frozenset[str]]:
    """Return the side ('' = none told) and the other words, each by its usual name."""
    side, rest = side_of(_without_side_letters(glued(words)))
    return side, frozenset(PLACE_OF.get(word, word) for word in rest)


def glued(words: Sequence[str]) -> list[str]:
    """Join words that stand for one place or muscle: ``vastus lateralis``."""
    text = " ".join(words)
    for apart, together in GLUED.items():
        text = text.replace(apart, together)
    return text.split()


def side_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the side that words tell ('' = none), and the other words: ``deltoid middle right`` is of the right."""
    sides = [SIDE_OF[word] for word in words if word in SIDE_OF]
    side = next((own for own in sides if own != "centre"), sides[0] if sides else "")
    return side, [word for word in words if SIDE_OF.get(word, "") != side or not side]


def _without_side_letters(words: Sequence[str]) -> list[str]:
    """Split the letter of a side off a muscle's or segment's word: ``rvl`` = r, vl; ``lthigh`` = l, thigh."""
    result: list[str] = []
    for word in words:
        letter, rest = word[:1], word[1:]
        if word not in PLACE_OF and letter in ("l", "r") and rest in PLACE_OF:
            result += [letter, rest]
        else:
            result.append(word)
    return result


def _fits(label: tuple[str, frozenset[str]], wanted: tuple[str, frozenset[str]]) -> bool:
    """Whether no side contradicts, and a word names the same place; of others, all of those of one."""
    if label[0] and wanted[0] and label[0] != wanted[0]:
        return False
    numbers = {word for word in label[1] if word.isdigit()}
    if numbers - wanted[1] and {word for word in wanted[1] if word.isdigit()}:
        return False
    if any(label[1] & words and wanted[1] & words and not label[1] & wanted[1] & words for words in OPPOSITES):
        return False
    shared = label[1] & wanted[1]
    if shared & PLACE_NAMES or not shared:
        return bool(shared)
    return not (label[1] - wanted[1] - numbers and wanted[1] - label[1])  # else each says what the other does not
